"""A started process and its group: when they have to end, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longshore.errors import DeadlineExceeded
from longshore.process.cancellation import Cancellation
from longshore.process.command import Command, Kind

# Seconds that a grandchild may hold the pipe after the process has ended, and may take to vanish after KILL.
LINGER = 1.0


class Group:
    """PROCESS, the leader of a group that runs COMMAND.

    TERM goes to the whole group at the deadline, at a signal to us, once ENOUGH returns true and, if the command only
    reads, when the run has failed elsewhere; KILL follows after the command's grace or at a second Ctrl-C.
    """

    def __init__(
        self, process: Any, command: Command, cancellation: Cancellation, enough: Callable[[], bool] | None = None
    ) -> None:
        self.process, self.command, self.cancellation = process, command, cancellation
        self._enough = enough or (lambda: False)
        self.started = time.monotonic()
        self.ended_at: float | None = None  # when the leader was first seen to have ended
        self.late = False
        self._asked_at: float | None = None  # when TERM was sent

    def poll(self) -> bool:
        """End the group if it is time to; return whether the leader has ended so long ago that reading may stop."""
        now = time.monotonic()
        if not self.process.is_alive()[0]:
            self.ended_at = self.ended_at or now
            return now - self.ended_at > LINGER
        self.late = self.late or now - self.started > self.command.deadline
        stopped = self.cancellation.stopping and self.command.kind is Kind.QUERY
        if self.late or self.cancellation.requested or stopped or self._enough():
            if self._asked_at is None:
                self._asked_at = now
                self._signal(signal.SIGTERM)
            elif now - self._asked_at > self.command.grace or self.cancellation.count > 1:
                self._signal(signal.SIGKILL)
        return False

    def wait(self, tail: str) -> int:
        """Wait for the leader, kill what is left of the group, and return the exit code.

        Raises DeadlineExceeded, with the last lines of output TAIL, and Interrupted or Stopped.
        """
        while not self.poll() and self.ended_at is None:
            time.sleep(0.002)
        while (asked := self._asked_at) and time.monotonic() - asked < self.command.grace:
            if self.cancellation.count > 1 or not _is_alive(self.process.pgid):
                break
            time.sleep(0.05)  # what the leader has started gives back what it holds
        if self._signal(signal.SIGKILL):
            end = time.monotonic() + LINGER
            while _is_alive(self.process.pgid) and time.monotonic() < end:
                time.sleep(0.002)
        if self.late:
            raise DeadlineExceeded(
                f"{self.command.program} exceeded its deadline of {self.command.deadline:g} s", detail=tail
            )
        if self._asked_at is not None:
            self.cancellation.check(self.command.program)
        return int(self.process.exit_code)

    def _signal(self, number: signal.Signals) -> bool:
        """Send the signal NUMBER to the group; return whether any process was left to receive it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pgid, number)
            return True
        return False


def _is_alive(group: int) -> bool:
    """Return whether any process of GROUP is more than a zombie, whose parent may never collect it."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group_of_process = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(group_of_process) == group and state not in "ZX":
                return True
    return False
