"""What is secret within a secret: programs print a password of an address, or a text of a document, by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

# User and password of a URL; a password may hold what should have been encoded, but its host is not one with a port.
IN_URL = re.compile(r"://([^/\s:@]*)(?::((?!\d+(?:[/?#]|$))[^\s,]{1,512}?))?@(?=[^/\s@]*(?:[/?#,\s'\"]|$))")
# As libpq, JDBC, ODBC and Azure write them.
IN_LIST = re.compile(r"(?i)\b\w*(?:password|passwd|pwd|secret|token|key)=(?:'([^']+)'|\"([^\"]+)\"|([^\s&;,'\"]+))")
TOKEN = 16  # characters of a user's name that is a token
DEPTH = 8  # documents within documents


def connection(text: str) -> Iterator[str]:
    """Yield the passwords in the addresses in TEXT, as they are written and decoded, and tokens in their place."""
    for user, password in IN_URL.findall(text):
        for part in (password, user if len(user) >= TOKEN else ""):
            yield from dict.fromkeys(filter(None, (part, unquote(part))))
    yield from ("".join(found) for found in IN_LIST.findall(text))


def parts(text: str, depth: int = DEPTH) -> Iterator[str]:
    """Yield TEXT, what `connection` finds in it, and the same of all texts and numbers where it is JSON."""
    yield text
    yield from connection(text)
    if depth and text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            for inner in _leaves(json.loads(text)):
                yield from parts(inner, depth - 1)


def _leaves(document: Any) -> Iterator[str]:
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from _leaves(value)
    elif isinstance(document, str | int | float) and not isinstance(document, bool):
        yield str(document)
