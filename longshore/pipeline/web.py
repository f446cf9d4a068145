"""What GitLab and GitHub are asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from longshore import AGENT

DEADLINE = 10.0  # seconds for one call


class Refused(OSError):
    """An answer of 400 or above; the text is its number and its reason."""


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
        raise Refused(f"{problem.code} {problem.reason}") from None
    except HTTPException as problem:  # an answer that breaks off, or is none; urllib lets it through
        raise OSError(f"no whole answer: {problem!r}") from None
