"""One stream of a process: redacted, written to the log, cut into lines for whoever listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import BinaryIO

from longshore.redaction import Redactor

CHUNK = 1 << 16
KEPT = 32 << 20  # bytes of standard output held in memory; the log has all of it

Listener = Callable[[str], None]


class Sink:
    """Takes chunks of bytes as they come; `tail` and LISTEN get whole lines, `kept` the first bytes where KEEP is set."""

    def __init__(
        self, redactor: Redactor, log: BinaryIO | None, tail: deque[str], listen: Listener | None, keep: bool
    ) -> None:
        self._redactor, self._log, self._tail, self._listen = redactor, log, tail, listen
        self._keep = keep
        self._line = b""
        self.kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._take(self._redactor.feed(chunk))

    def close(self) -> None:
        """Give out what was held back; the stream has ended."""
        self._take(self._redactor.flush())
        if self._line:
            self._emit(self._line)
            self._line = b""

    def _take(self, data: bytes) -> None:
        if self._log:
            self._log.write(data)
        if self._keep and len(self.kept) < KEPT:
            self.kept += data[: KEPT - len(self.kept)]
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._emit(self._line + line)
            self._line = b""
        self._line = (self._line + rest)[-CHUNK:]

    def _emit(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode(errors="replace")
        self._tail.append(text)
        if self._listen:
            self._listen(text)
