"""Patterns of file names, in the manner of .gitignore."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache


@cache
def selector(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a test for names that PATTERNS select: files, folders with all in them, `*`, `?`, `**/`; `!` excludes."""
    included = _any(pattern for pattern in patterns if not pattern.startswith("!"))
    excluded = _any(pattern[1:] for pattern in patterns if pattern.startswith("!"))
    return lambda name: included(name) is not None and excluded(name) is None


def _any(patterns: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(map(_regex, patterns)) or r"(?!)", re.DOTALL).fullmatch


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./").rstrip("/"))
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(special.get(part) or re.escape(part) for part in parts)
    return f"(?:{text})" if "*" in pattern or "?" in pattern else f"(?:{text}(?:/.*)?)"
