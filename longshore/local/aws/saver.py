"""When the state is saved: soon after a change, on request, at the end."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from longshore.local.aws import state

QUIET = 0.5  # seconds without a change before it is written
LONGEST = 5.0  # seconds that a change waits at most, while others follow it


class Saver:
    """Writes snapshots to PATH. `lock` is what every request holds while it runs."""

    def __init__(self, path: Path | None, lock: threading.RLock) -> None:
        self._path, self._lock = path, lock
        self._writing = threading.Lock()
        self._wake = threading.Condition()
        self._first = self._last = 0.0  # when the oldest and the newest unsaved change happened; 0: none
        self._ended = False
        self.saved_at = 0.0

    def changed(self) -> None:
        """Note that there is something to save."""
        with self._wake:
            self._last = time.monotonic()
            self._first = self._first or self._last
            self._wake.notify()

    def save(self) -> None:
        """Write a snapshot now. Raises OSError; the last good one is then still there."""
        if self._path is None:
            return
        with self._writing:
            with self._wake:
                self._first = self._last = 0.0
            try:
                with self._lock:
                    data, at = state.dumps(), time.time()
                state.write(self._path, data)
            except Exception:
                self.changed()  # tried again later: a full disk may be emptied
                raise
            self.saved_at = at  # what changed while it was written is not in it

    def run(self) -> None:
        """Save after changes until `end`; the body of a thread."""
        while self._wait():
            try:
                self.save()
            except Exception as problem:  # noqa: BLE001 (whatever it is, the next change is saved again)
                print(f"state not saved: {problem}", file=sys.stderr, flush=True)
                time.sleep(LONGEST)

    def _wait(self) -> bool:
        with self._wake:
            while not self._ended:
                if not self._first:
                    self._wake.wait()
                    continue
                now = time.monotonic()
                left = min(self._last + QUIET, self._first + LONGEST) - now
                if left <= 0:
                    return True
                self._wake.wait(left)
            return False

    def end(self) -> None:
        """Stop the thread; what is unsaved is for the caller to save."""
        with self._wake:
            self._ended = True
            self._wake.notify()
