"""Routes of EKS's REST API that moto lacks.

They match the path as sent: an ARN in it is a single segment only while its slashes are still encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from localcloud.aws.patching import register


@dataclass(frozen=True)
class Request:
    """One call: the region it is signed for, its query, its JSON body."""

    region: str
    query: tuple[tuple[str, str], ...]
    body: dict[str, Any]

    def parameter(self, name: str) -> str | None:
        """Return the query parameter NAME, or None."""
        return dict(self.query).get(name)


Handler = Callable[..., dict[str, Any]]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Serve METHOD on PATTERN, whose {names} are single path segments and arguments of the handler.

    The handler's name is that of its operation in boto3's spelling.
    """
    expression = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "$")

    def install(handler: Handler) -> Handler:
        _ROUTES.append((method, expression, handler))
        register("eks", f"{method} {pattern}", (handler.__name__,))
        return handler

    return install


def answer(region: str, method: str, path: str, query: str, body: bytes) -> dict[str, Any] | None:
    """Return the answer to the call, or None if it is moto's to answer."""
    for route_method, expression, handler in _ROUTES:
        match = expression.match(path) if route_method == method else None
        if match:
            request = Request(region, tuple(parse_qsl(query)), json.loads(body) if body else {})
            return handler(request, **{name: unquote(value) for name, value in match.groupdict().items()})
    return None
