"""One hash of what something is made from: names, contents and executable bits, never time stamps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from longshore.steps.tree import Tree


def files(root: Path, patterns: Iterable[str]) -> list[Path]:
    """Return the files under ROOT that PATTERNS name, sorted, those that git ignores too: whoever builds or applies reads them."""
    return [root / name for name in tree(root).match(patterns, ignored=True)]


def of(root: Path, patterns: Iterable[str], *values: object) -> str:
    """Return the fingerprint of the files that PATTERNS name and of VALUES (anything JSON can hold), as 64 hex digits."""
    checkout = tree(root)
    return combine(checkout.hashes(checkout.match(patterns, ignored=True)), *values)


def combine(hashes: dict[str, str], *values: object) -> str:
    """Return one hash of HASHES by name and of VALUES."""
    told = json.dumps([values, sorted(hashes.items())], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def tree(root: Path, listed: Callable[[], str | None] | None = None) -> Tree:
    """Return the files of the checkout at ROOT with their stat cache, the same one for all that ask; LISTED is how git lists them."""
    found = _tree(root)
    if listed:
        found.listed = listed
    return found


@cache
def _tree(root: Path) -> Tree:
    return Tree(root, root / ".longshore" / "cache")
