"""Saves the state soon after a change, on request and at the end."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from localcloud.aws import state
from longshore.files import write_atomically

QUIET = 0.5  # seconds without another change before saving
LONGEST = 5.0  # seconds that a change waits at most, while others follow


class Saver:
    """Writes snapshots to PATH. LOCK is held by every request while it runs."""

    def __init__(self, path: Path | None, lock: threading.RLock) -> None:
        self._path, self._lock = path, lock
        self._writing = threading.Lock()
        self._wake = threading.Condition()
        self._first = self._last = 0.0  # monotonic times of the oldest and newest unsaved change; 0: none
        self._ended = False
        self.saved_at = 0.0

    def changed(self) -> None:
        """Note a change that must be saved."""
        with self._wake:
            self._last = time.monotonic()
            self._first = self._first or self._last
            self._wake.notify()

    def save(self) -> None:
        """Write a snapshot now, or raise OSError and leave the last one as it is."""
        if self._path is None:
            return
        with self._writing:
            with self._wake:
                self._first = self._last = 0.0
            try:
                with self._lock:
                    data, at = state.dumps(), time.time()
                write_atomically(self._path, data, 0o600)
            except Exception:
                self.changed()  # retried later: there may be room on the disk again
                raise
            self.saved_at = at  # changes made during the write are not in it

    def run(self) -> None:
        """Save after changes until `end`; runs in a thread."""
        while self._wait():
            try:
                self.save()
            except Exception as problem:  # noqa: BLE001 (whatever it is, try again)
                print(f"cannot save the state: {problem}", file=sys.stderr, flush=True)
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
        """Stop the thread; the caller saves what is unsaved."""
        with self._wake:
            self._ended = True
            self._wake.notify()
