"""The streams of a process: what it reads; what it writes, redacted, logged, cut into lines for whoever listens."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from longshore.command import Secret
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


def stdin(text: str | Secret | None) -> BinaryIO:
    """Give the child a real file: /dev/null, or an unnamed one that only we and it can read."""
    if text is None:
        return open(os.devnull, "rb")
    source = tempfile.TemporaryFile()
    source.write((text.reveal() if isinstance(text, Secret) else text).encode())
    source.seek(0)
    return source


class Log:
    """The log as a context: nothing when there is no log; private, since redaction is not a proof."""

    def __init__(self, path: Path | None) -> None:
        self._stream = (
            None if path is None else open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        )

    def __enter__(self) -> BinaryIO | None:
        return self._stream

    def __exit__(self, *ignored: object) -> None:
        if self._stream:
            self._stream.close()
