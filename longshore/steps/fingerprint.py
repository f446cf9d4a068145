"""The hash of what a step reads: names, contents and executable bits, never time stamps."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

IGNORED = {"__pycache__", ".git", ".terraform", ".longshore", ".pytest_cache", ".ruff_cache", ".mypy_cache"}


def files(root: Path, patterns: Iterable[str]) -> list[Path]:
    """Return the files under ROOT that PATTERNS name, sorted, without tools' leftovers.

    A folder that is named stands for all in it; one that only matches a pattern does not: `*` is not the virtualenv.
    """
    found: set[Path] = set()
    for pattern in patterns:
        for path in root.glob(pattern):
            if not path.is_dir():
                found.add(path)
            elif "*" not in pattern:
                found.update(_walk(path))
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in IGNORED]
        yield from (Path(parent) / name for name in names if not name.endswith((".pyc", "~")))


def of(root: Path, patterns: Iterable[str], *values: object) -> str:
    """Return the fingerprint of the files that PATTERNS name and of VALUES (anything JSON can hold), as 64 hex digits."""
    total = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
    for path in files(root, patterns):
        content = hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest()
        executable = b"x" if os.access(path, os.X_OK) else b"-"
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + executable + content)
    return total.hexdigest()
