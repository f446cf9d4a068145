"""What GitLab and GitHub are asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from msgspec import ValidationError, convert

from longshore import AGENT
from longshore.errors import Precondition
from longshore.process.command import Secret

DEADLINE = 10.0  # seconds for one call
PAGE = 30  # entries, the most that both give at once: GitHub no more variables, however many are asked for

T = TypeVar("T")


class Refused(OSError):
    """An answer of 400 or above, its `status`; the text is that and its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class Hidden(Precondition):
    """The token may not see what was asked for; or it is not there, which is no other answer."""


def ask(url: str, headers: Mapping[str, str], *, method: str = "GET", body: Mapping[str, str] | None = None) -> Any:
    """Return the JSON that URL answers with. Raises Refused, another OSError, or ValueError for what is no JSON."""
    if not url.startswith(("https://", "http://")):  # a file's URL is nobody's API
        raise ValueError(f"{url} is no address")
    data = json.dumps(body).encode() if body else None
    request = Request(url, data, {"User-Agent": AGENT, **headers}, method=method)  # noqa: S310
    try:
        with urlopen(request, timeout=DEADLINE) as answer:  # noqa: S310  # nosec B310
            return json.load(answer)
    except HTTPError as problem:
        problem.close()
        raise Refused(problem.code, problem.reason) from None
    except HTTPException as problem:  # an answer that breaks off, or is none; urllib lets it through
        raise OSError(f"no whole answer: {problem!r}") from None


class Place:
    """The API of NAME at URL."""

    def __init__(self, name: str, url: str, header: str, token: Secret | None) -> None:
        if token is None:
            hint = "a token that may read variables, in GITLAB_TOKEN for GitLab, in GH_TOKEN for GitHub"
            raise Precondition(f"there is no token to ask {name} with", hint=hint)
        self._name, self._url = name, url
        self._headers = {header: ("Bearer " if header == "Authorization" else "") + token.reveal()}

    def pages(self, path: str, kind: type[T], key: str = "") -> list[T]:
        """Return all entries at PATH, which GitHub keeps under KEY. Raises as `one` does."""
        found: list[T] = []
        while True:
            query = f"?per_page={PAGE}&page={len(found) // PAGE + 1}"
            entries = self.one(path, list[kind], key, query)  # type: ignore[valid-type]
            found += entries
            if len(entries) < PAGE:
                return found

    def one(self, path: str, kind: type[T], key: str = "", query: str = "") -> T:
        """Return what is at PATH. Raises Precondition; where the token may not see it, that is Hidden."""
        try:
            answer = ask(f"{self._url}{path}{query}", self._headers)
            return convert(answer[key] if key else answer, kind)
        except Refused as problem:
            hint = f"the token has to belong to a maintainer of {path.partition('/variables')[0]} and may have expired"
            refused = Hidden if problem.status in (403, 404) else Precondition
            raise refused(f"{self._name} does not say what is set: {problem}", hint=hint) from None
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as problem:
            raise Precondition(f"{self._name} cannot be asked: {problem}", hint=f"its API is {self._url}") from None
