"""Signals become flags: a handler only takes note, and loops look at the note."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from longshore.errors import Interrupted, Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Cancellation:
    """What the outside asked for. `count` tells a second Ctrl-C, which ends children without grace, from the first."""

    def __init__(self) -> None:
        self.signal = 0
        self.count = 0
        self.stopping = False  # a sibling failed: what only reads or builds may end, a change runs to its end
        self._event = threading.Event()

    def install(self) -> None:
        """Take the signals over; call it once, in the main thread."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def release(self) -> None:
        """Give the signals back to the kernel, which ends us for one that comes from now on; raise Interrupted for one that came."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        if self.signal:
            raise Interrupted(self.signal)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = self.signal or number
        self.count += 1
        self._event.set()

    def stop(self) -> None:
        """Ask everything that changes nothing to end, because the run has failed elsewhere."""
        self.stopping = True
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.signal != 0

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until a signal comes; raise Interrupted when it has."""
        self._event.wait(seconds)
        self.check()

    def check(self, during: str = "") -> None:
        """Raise Interrupted when a signal has come, Stopped when the run has failed elsewhere."""
        if self.signal:
            raise Interrupted(self.signal, during)
        if self.stopping:
            raise Stopped("stopped, because another step failed")
