"""A command that runs while this thread does something else."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from longshore.errors import DeadlineExceeded
from longshore.process.command import Command
from longshore.process.runner import Result, Runner

LONGEST = 86400.0  # seconds


class Beside:
    """COMMAND, which begins with the `with` block, writes to LOG, and is ended with the block at the latest.

    So its own deadline does not count. It has to be one that only reads. `result` is there once it has ended, `failure`
    if something kept it from that.
    """

    def __init__(self, runner: Runner, command: Command, log: Path | None) -> None:
        self.result: Result | None = None
        self.failure: Exception | None = None
        self._program, self._enough = command.program, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(runner, replace(command, deadline=LONGEST), log))

    def _run(self, runner: Runner, command: Command, log: Path | None) -> None:
        try:
            with runner.writes(log):
                self.result = runner.run(command, check=False, enough=self._enough.is_set)
        except Exception as problem:  # noqa: BLE001 - `wait` raises it
            self.failure = problem

    @property
    def running(self) -> bool:
        """Whether it runs still."""
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait until it has ended. Raises what kept it from that, and DeadlineExceeded after SECONDS."""
        self._thread.join(seconds)
        if self.running:
            raise DeadlineExceeded(f"{self._program} exceeded its deadline of {seconds:g} s")
        if self.failure:
            raise self.failure

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()
