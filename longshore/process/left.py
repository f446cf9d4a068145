"""What a program has left running, in sessions of its own making: found by a variable that all of it was given."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

KILLED = 5.0  # seconds until one that was killed is gone


def end(variable: str, value: str, patience: float) -> None:
    """End every process that has VARIABLE=VALUE: from above, as each ends what it started; killed after PATIENCE (s).

    Terraform, told twice, ends at once and leaves its lock: so a process is told when nobody above it is left to.
    """
    until, told = time.monotonic() + patience, set[int]()
    while left := having(variable, value):
        now = time.monotonic()
        if now > until + KILLED:
            return
        for pid, parent in left.items():
            if now > until or (parent not in left and pid not in told):
                told.add(pid)
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL if now > until else signal.SIGTERM)
        time.sleep(0.1)


def having(variable: str, value: str) -> dict[int, int]:
    """Return the parents of the processes, by their ids, that have VARIABLE=VALUE."""
    found, mark = dict[int, int](), f"{variable}={value}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # it has ended, or is somebody else's
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = int(
                    (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
                )
    return found
