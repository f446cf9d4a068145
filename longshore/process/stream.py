"""The streams of a process: what it reads, and what it writes, redacted, logged and split into lines."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from longshore.process.command import Secret
from longshore.process.redaction import Redactor

CHUNK = 1 << 16
KEPT = 32 << 20  # bytes of standard output held in memory; the log has all of it
TAIL = 40  # lines in an error's detail
SHORT = 2000  # bytes of such a line
QUIET = 0.25  # seconds without output, after which a line cannot be one of a wrapped secret

Listener = Callable[[str], None]


class Output:
    """What both streams of a command wrote, in the order of its lines: LOG gets all of it, the others whole lines.

    A line longer than 2,000 bytes is cut in the tail; one longer than 64 KiB for ON_LINE as well.
    """

    def __init__(self, redactor: Redactor, log: BinaryIO | None, path: Path | None, on_line: Listener | None) -> None:
        self._redactor, self._log, self._path, self._on_line = redactor, log, path, on_line
        self._stream = redactor.stream()  # a secret may be written to both streams, a part to each
        self._tail: deque[str] = deque(maxlen=TAIL)
        self.sources: set[Sink] = set()  # that have anything to say
        self._line = b""
        self._more = 0  # bytes of the line that are not in `_line`

    @property
    def tail(self) -> str:
        """The last lines."""
        return self._redactor.text("\n".join(self._tail))

    def feed(self, data: bytes) -> None:
        """Take the next bytes of either stream, which are redacted as far as one stream goes."""
        self._take(self._stream.feed(data) if len(self.sources) > 1 else data)

    def settle(self) -> None:
        """Pass on the whole lines that were held back."""
        self._take(self._stream.settle())

    def close(self) -> None:
        """Pass on what was held back; the streams have ended."""
        self._take(self._stream.flush())
        if self._line:
            self._end_line()

    def _take(self, data: bytes) -> None:
        if self._log:
            self._log.write(data)
        first, newline, rest = data.partition(b"\n")
        self._add(first)
        if newline:
            self._end_line()
            *lines, last = rest.split(b"\n")
            for line in lines if self._on_line else lines[-TAIL:]:
                self._show(line, 0)
            self._add(last)

    def _add(self, data: bytes) -> None:
        room = CHUNK - len(self._line)
        self._line += data[:room]
        self._more += max(0, len(data) - room)

    def _end_line(self) -> None:
        line, more = self._line, self._more
        self._line, self._more = b"", 0
        self._show(line, more)

    def _show(self, line: bytes, more: int) -> None:
        """Pass on LINE, of which MORE bytes are missing."""
        line = line.removesuffix(b"\r")
        text = line.decode(errors="replace")
        short = _shortened(line, more, self._path) if more or len(line) > SHORT else text
        self._tail.append(short)
        if self._on_line:
            self._on_line(short if more or len(line) > CHUNK else text)


class Sink:
    """Takes chunks of one stream and passes them on to OUTPUT; with KEEP, `kept` has the first bytes.

    What a PRIVATE stream holds is a credential or a file that somebody asked for: it is kept as it is.
    """

    def __init__(self, redactor: Redactor, output: Output, *, keep: bool, private: bool = False) -> None:
        self._stream, self._output = redactor.stream(), output
        self._keep, self._private = keep, private
        self._fed_at = time.monotonic()
        self.kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._fed_at = time.monotonic()
        self._output.sources.add(self)
        if self._private:
            self._store(chunk)
        self._take(self._stream.feed(chunk))

    def settle(self) -> None:
        """Pass on the whole lines that were held back, if nothing has come for a while."""
        if time.monotonic() - self._fed_at > QUIET:
            self._take(self._stream.settle())
            self._output.settle()

    def close(self) -> None:
        """Pass on what was held back; the stream has ended. Its last line does, too, before one of the other stream."""
        rest = self._stream.flush()
        self._take(rest)
        if rest and not rest.endswith(b"\n"):
            self._output.feed(b"\n")

    def _take(self, data: bytes) -> None:
        if not self._private:
            self._store(data)
        if data:
            self._output.feed(data)

    def _store(self, data: bytes) -> None:
        if self._keep and len(self.kept) < KEPT:
            self.kept += data[: KEPT - len(self.kept)]


def _shortened(line: bytes, more: int, log: Path | None) -> str:
    """Return the beginning of LINE, of which MORE bytes are missing already, and how much more there is."""
    more += len(line) - len(line[:SHORT])
    text = line[:SHORT].decode(errors="replace")
    size = f"{more / 1e6:.1f} MB" if more >= 100_000 else f"{more / 1e3:.1f} kB"
    return f"{text}… {size} more" + (f", whole in {log}" if log else "")


def stdin(text: str | Secret | None) -> BinaryIO:
    """Return a file with TEXT for the child to read: /dev/null, or an unnamed one that nobody else can open."""
    if text is None:
        return open(os.devnull, "rb")
    source = tempfile.TemporaryFile()
    source.write(os.fsencode(text.reveal() if isinstance(text, Secret) else text))
    source.seek(0)
    return source


@contextlib.contextmanager
def open_log(path: Path | None) -> Iterator[BinaryIO | None]:
    """Yield the log at PATH, open for appending, or None. It is private, since redaction can miss a secret."""
    if path is None:
        yield None
        return
    with private_file(path) as stream:
        yield stream


def private_file(path: Path) -> BinaryIO:
    """Return the file at PATH, open for appending; nobody else may read it, whoever made it."""
    stream = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    os.fchmod(stream.fileno(), 0o600)
    return stream
