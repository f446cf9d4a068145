"""One command at a time changes an environment from one checkout. The kernel drops the claim with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from longshore.errors import LockHeld


@contextlib.contextmanager
def claim(folder: Path, environment: str, doing: str) -> Iterator[None]:
    """Hold the environment whose records are in FOLDER; raise LockHeld, naming who has it, where somebody does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "claim").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(
                f"{environment} is being changed by {_holder(file.name)}",
                hint="wait for it to end, or end that process; its claim goes with it",
            ) from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "doing": doing, "since": time.strftime("%H:%M:%S")}))
        file.flush()
        yield


def _holder(path: str) -> str:
    try:
        held = json.loads(Path(path).read_text())
        return f"`invoke {held['doing']}` (process {held['pid']}, since {held['since']})"
    except (OSError, ValueError, KeyError):
        return "another command"
