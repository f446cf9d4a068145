"""What a command leaves behind: processes, and whether an environment is free again."""

from __future__ import annotations

import fcntl
from pathlib import Path

from tests.e2e.project import Project


def descendants(mark: str) -> list[str]:
    """Return the processes that have MARK in their environment: all that the command started, in any session."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and mark.encode() in (entry / "environ").read_bytes():
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:120])
        except OSError:
            continue
    return lines


def free(project: Project) -> bool:
    with (project.folder / ".longshore" / "environments" / project.name / "claim").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
