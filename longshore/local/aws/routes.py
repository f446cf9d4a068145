"""Routes of EKS's REST API that moto has not.

They are matched on the path as it was sent: an ARN in it is one segment only as long as its slashes stay encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from longshore.local.aws.mending import note


@dataclass(frozen=True)
class Request:
    """One call: the region of its signature, its query, its JSON body."""

    region: str
    query: tuple[tuple[str, str], ...]
    body: dict[str, Any]

    def parameter(self, name: str) -> str | None:
        """Return the query parameter NAME, or None."""
        return dict(self.query).get(name)


Handler = Callable[..., dict[str, Any]]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Serve METHOD on PATTERN, whose {names} are single path segments and arguments of the function.

    The function is named after its operation, as boto3 names it.
    """
    expression = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "$")

    def place(handler: Handler) -> Handler:
        _ROUTES.append((method, expression, handler))
        note("eks", f"{method} {pattern}", (handler.__name__,))
        return handler

    return place


def answer(region: str, method: str, path: str, query: str, body: bytes) -> dict[str, Any] | None:
    """Answer the call, or return None where it is moto's to answer."""
    for its_method, expression, handler in _ROUTES:
        found = expression.match(path) if its_method == method else None
        if found:
            request = Request(region, tuple(parse_qsl(query)), json.loads(body) if body else {})
            return handler(request, **{name: unquote(value) for name, value in found.groupdict().items()})
    return None
