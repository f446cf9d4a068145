"""One process at a time: two environments that start together must not build the same thing twice."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longshore.local.build import Progress
from longshore.runner import Runner

LOOK = 0.2  # seconds between two tries


@contextmanager
def exclusive(path: Path, runner: Runner, progress: Progress, work: str) -> Iterator[None]:
    """Hold the lock file PATH; while another process does WORK, say so and wait, for as long as it takes.

    The kernel releases the lock with the process, so a killed one leaves none behind. Raises Interrupted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(f"waiting for another process: {work}", None, None)
                runner.cancellation.wait(LOOK)
        yield
