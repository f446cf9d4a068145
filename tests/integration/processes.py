"""Commands for the runner, and which of their processes there still are."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from longshore.process.command import Command, query

ROOT = Path(__file__).parent.parent.parent


def living(mark: str) -> list[str]:
    """Return the processes whose command line holds MARK, zombies left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in words and state != "Z" and int(entry.name) != os.getpid():
            found.append(words)
    return found


def words(pid: int) -> list[bytes]:
    """Return the command line of the process PID, none where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


def shell(script: str, **options: object) -> Command:
    return query("sh", "-c", script, **options)


PROGRAM = """
import os, sys
from longshore.errors import Failure
from longshore.process.cancellation import Cancellation
from longshore.process.command import query
from longshore.process.runner import Runner
cancellation = Cancellation(); cancellation.install()
print("ready", flush=True)
try:
    Runner(dict(os.environ), cancellation=cancellation).run(query("sh", "-c", sys.argv[1], deadline=60, grace=30))
except Failure as failure:
    print(failure.sentence); sys.exit(failure.exit_code)
"""


def started_with(mark: str) -> list[int]:
    """Return the processes that have MARK in their environment, in whatever session they are."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
