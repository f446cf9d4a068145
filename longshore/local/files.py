"""Files that others read while we write them: replaced in one step, and only when they change."""

from __future__ import annotations

from pathlib import Path

from longshore.steps.memory import write_atomically


def write(path: Path, content: str | bytes, *, mode: int = 0o644) -> bool:
    """Make PATH hold CONTENT with MODE, never half of it. Return whether anything had to change."""
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
            return False
    except FileNotFoundError:
        pass
    write_atomically(path, data, mode)
    return True
