"""Signals set flags, and loops check them."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from longshore.errors import Interrupted, Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Cancellation:
    """What was asked to stop. A second Ctrl-C (`count`) kills children without grace.

    `stopping`: another step has failed, so what only reads or builds may end; a change runs to its end.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.count = 0
        self.stopping = False
        self._event = threading.Event()
        self._handled: list[signal.Signals] = []

    def install(self) -> None:
        """Handle SIGINT, SIGTERM and SIGHUP from now on; call it once, in the main thread.

        What was ignored when we were started, as by `nohup`, stays ignored.
        """
        self._handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in self._handled:
            signal.signal(number, self._note)

    def release(self) -> None:
        """Restore the default handlers. Raises Interrupted if a signal has already arrived."""
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)
        if self.signal:
            raise Interrupted(self.signal)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = self.signal or number
        self.count += 1
        self._event.set()

    def stop(self) -> None:
        """Ask everything that changes nothing to end, because another step has failed."""
        self.stopping = True
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self.signal != 0

    def wait(self, seconds: float) -> None:
        """Sleep for SECONDS, or until a signal arrives. Raises Interrupted or Stopped, as `check` does."""
        self._event.wait(seconds)
        self.check()

    def check(self, during: str = "") -> None:
        """Raise Interrupted, which says DURING what, if a signal has arrived; Stopped if another step has failed."""
        if self.signal:
            raise Interrupted(self.signal, during)
        if self.stopping:
            raise Stopped("stopped because another step failed")
