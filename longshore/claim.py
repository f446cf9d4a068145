"""One command at a time changes an environment from one checkout."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from longshore.errors import LockHeld
from longshore.files import from_json, locked

PATIENCE = 1.0  # seconds


@contextmanager
def claim(folder: Path, environment: str, command: str) -> Iterator[None]:
    """Hold ENVIRONMENT, whose records are in FOLDER, for COMMAND ("deploy"). Raises LockHeld, naming the holder."""
    path = folder / "claim"
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(locked(path))
        except LockHeld:
            hint = "wait for it to end, or end that process; its lock goes with it"
            raise LockHeld(f"{environment} is being changed by {_holder(path)}", hint=hint) from None
        stream.truncate(0)
        stream.write(json.dumps({"pid": os.getpid(), "doing": command, "since": time.strftime("%H:%M:%S")}))
        stream.flush()
        yield


def _holder(path: Path) -> str:
    """Return who holds the claim in PATH. Who has just taken it may not have said so, or the last one still does."""
    named, until = "another command", time.monotonic() + PATIENCE
    while True:
        try:
            record = from_json(path.read_bytes())
            named = f"`invoke {record['doing']}` (process {record['pid']}, since {record['since']})"
            if Path(f"/proc/{record['pid']}").exists():
                return named
        except (OSError, ValueError, KeyError, TypeError):
            pass
        if time.monotonic() > until:  # it may be a process that cannot be seen from here
            return named
        time.sleep(0.02)
