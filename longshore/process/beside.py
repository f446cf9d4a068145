"""A command that runs while this thread does something else."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from longshore.errors import Failure
from longshore.process.command import Command
from longshore.process.runner import Result, Runner


class Beside:
    """COMMAND, which begins with the `with` block, has a log called NAME, and is ended with the block at the latest.

    It has to be one that only reads. `result` is there once it has ended, `failure` if it could not run or was late.
    """

    def __init__(self, runner: Runner, command: Command, name: str) -> None:
        self.result: Result | None = None
        self.failure: Failure | None = None
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(runner, command, name))

    def _run(self, runner: Runner, command: Command, name: str) -> None:
        try:
            with runner.step(name):
                self.result = runner.run(command, check=False, enough=self._enough.is_set)
        except Failure as problem:
            self.failure = problem

    @property
    def running(self) -> bool:
        """Whether it runs still."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()
