"""What a part tells while it starts, and doing what is done once per machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from longshore.files import locked
from longshore.process.runner import Runner


class Progress(Protocol):
    """Shows a person TEXT and, if both are known, how many of TOTAL units are DONE."""

    def __call__(self, text: str, done: int | None = None, total: int | None = None, /) -> object: ...


def exclusive(path: Path, runner: Runner, progress: Progress, work: str) -> AbstractContextManager[TextIO]:
    """Hold the lock file PATH while doing WORK ("compiling BuildKit"), so that no two processes do it twice.

    While another process holds it, say so and wait, for as long as it takes. Raises Interrupted.
    """

    def wait(seconds: float) -> None:
        progress(f"waiting: another process is {work}")
        runner.cancellation.wait(seconds)

    return locked(path, wait)


@contextmanager
def draft(folder: Path, runner: Runner, progress: Progress, work: str) -> Iterator[Path]:
    """Yield an empty folder below FOLDER, whose lock is held for WORK; what is not moved out of it is deleted."""
    with exclusive(folder / "lock", runner, progress, work):
        for stale in folder.glob(".draft-*"):  # left by a killed process; none lives, since we hold the lock
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".draft-", ignore_cleanup_errors=True) as name:
            yield Path(name)
