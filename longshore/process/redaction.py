"""Removes secrets from what leaves the program: streams of bytes, wherever their chunks end, texts, data and files.

A stream is searched in two steps. Pieces of all forms of all secrets (see spelling.py) are looked up at once: eight
bytes at a time in a set, so that the time does not depend on how many secrets there are. Only where one was seen, the
patterns of its secret are tried, with line breaks and colours out of the way.
"""

from __future__ import annotations

import re
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from longshore.files import write_atomically
from longshore.process.command import Secret
from longshore.process.parts import connection, parts
from longshore.process.spelling import BLANK, Word, canonical, encode, words

MASK = b"[redacted]"
LONG = 1 << 16  # bytes of a line that are held until it ends
OVERLAP = 1 << 12  # bytes that are held of a longer one
BLOCK = 8  # bytes
REACH = 2 * BLOCK - 1  # bytes that hold a block at whatever offset blocks begin

COLOUR = re.compile(rb"\x1b\[[0-9;:]*[mK]")
# What wrapping and colouring put into a secret, and what JSON makes of a line break.
GAP = re.compile(rb"\r?\n[ \t]*|\x1b\[[0-9;:]*[mK]")
ESCAPED_GAP = re.compile(rb"\r?\n[ \t]*|\x1b\[[0-9;:]*[mK]|(?:\\+r)?\\+n")
# Environment variables whose values are secret.
NAME = re.compile(
    r"((TOKEN|SECRET|PASSWORD|PASSWD|PWORD|PASSPHRASE|CREDENTIAL|API_?KEY|_KEY|_JWT|_SALT)S?"
    r"|(^|_)PASS|_PWD|_PAT|_AUTH|SECRET_KEY_BASE|WEBHOOK(_URL)?)$",
    re.IGNORECASE,
)

Span = tuple[int, int]


def secrets_in(environ: Mapping[str, str]) -> Iterator[Secret]:
    """Return the values of the variables in ENVIRON whose names say that they are secret, and those in addresses."""
    for name, value in environ.items():
        if NAME.search(name):
            yield Secret(value)
        yield from map(Secret, connection(value))


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return VALUE, as JSON knows values, with CHANGE made to each text in it, but not to names of fields."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [each_text(item, change) for item in value]
    return value


class Redactor:
    """Knows all secrets of a run, and masks each form of them. Safe to use from several threads.

    Values shorter than six characters and a few common words are left alone.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets: set[Secret] = set()
        self._texts: set[str] = set()
        self._lock = threading.Lock()
        self._known = _Known(())
        self.add(*secrets)

    def add(self, *secrets: Secret) -> None:
        """Mask SECRETS from now on, in streams that have begun as well."""
        with self._lock:
            unknown = [secret for secret in secrets if secret not in self._secrets]
            self._secrets.update(unknown)
            new = {word for secret in unknown for part in parts(secret.reveal()) for word in words(part)} - self._texts
            if new:
                self._texts |= new
                self._known = _Known((*self._known.words, *map(Word, new)))

    def stream(self) -> Stream:
        """Return what redacts one stream of bytes."""
        return Stream(self)

    def redact(self, data: bytes) -> bytes:
        """Return DATA, which is whole, without secrets."""
        return _masked(data, self.spans(data))

    def text(self, text: str) -> str:
        """Return TEXT, which is whole, without secrets."""
        data = encode(text)
        spans = self.spans(data)
        return _masked(data, spans).decode(errors="surrogateescape") if spans else text

    def data(self, value: Any) -> Any:
        """Return VALUE, as JSON knows values, with all texts in it redacted; names of fields stay."""
        return each_text(value, self.text)

    def file(self, path: Path) -> None:
        """Make the file at PATH private, and redact what another program has written into it."""
        with suppress(FileNotFoundError):
            path.chmod(0o600)
            content = path.read_bytes()
            if spans := self.spans(content):
                write_atomically(path, _masked(content, spans), 0o600)

    def spans(self, data: bytes) -> list[Span]:
        """Return where in DATA secrets are, in order; none overlaps another."""
        known = self._known
        if not known.words:
            return []
        plain = COLOUR.sub(b"", data) if b"\x1b" in data else data
        found = list(known.search(data, GAP, canonical(plain)))
        if b"\\n" in data:
            joined = plain.replace(b"\\r", b"").replace(b"\\n", b"").replace(b"\\", b"")
            found += known.search(data, ESCAPED_GAP, canonical(joined))
        merged: list[Span] = []
        for start, end in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def unfinished(self, data: bytes) -> int:
        """Return how many bytes at the end of DATA may be the beginning of a secret."""
        return self._known.unfinished(data)


class Stream:
    """Redacts one stream: `feed` holds back a line that has not ended, and lines in which a secret may have begun."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return those that are safe to show, whole lines unless a line is very long."""
        data, self._held = self._held + chunk, b""
        return self._release(data, self._end(data))

    def settle(self) -> bytes:
        """Return whole lines that were held back: nothing has come for a while, so no secret goes on in the next."""
        data, self._held = self._held, b""
        return self._release(data, data.rfind(b"\n") + 1)

    def flush(self) -> bytes:
        """Return all that was held back; the stream has ended."""
        data, self._held = self._held, b""
        return self._redactor.redact(data)

    def _end(self, data: bytes) -> int:
        """Return up to where DATA can be shown."""
        end = data.rfind(b"\n") + 1
        if len(data) - end > LONG:
            end = len(data) - OVERLAP
        begun = end - self._redactor.unfinished(data[:end])
        return end if begun == end else max(data.rfind(b"\n", 0, begun) + 1, begun - LONG)

    def _release(self, data: bytes, end: int) -> bytes:
        if end <= 0:
            self._held = data
            return b""
        spans = self._redactor.spans(data)
        end = next((start for start, stop in spans if start < end < stop), end)
        self._held = data[end:]
        return _masked(data[:end], [span for span in spans if span[1] <= end])


class _Known:
    """Words to find; never changed once made."""

    def __init__(self, words: tuple[Word, ...]) -> None:
        self.words = words
        anchors = {anchor for word in words for anchor in word.anchors}
        self._short = tuple(anchor for anchor in anchors if len(anchor) < REACH)
        self._blocks = frozenset(
            int.from_bytes(anchor[at : at + BLOCK], sys.byteorder)
            for anchor in anchors - set(self._short)
            for at in range(BLOCK)
        )
        forms = {form for word in words for form in word.forms}
        self._longest = max(map(len, forms), default=0)
        self._stubs = frozenset(form[:size] for form in forms for size in (1, 2, 3) if len(form) > size)
        self._heads: dict[bytes, list[bytes]] = {}
        for form in forms:
            self._heads.setdefault(form[:4], []).append(form)

    def search(self, data: bytes, gap: re.Pattern[bytes], text: bytes) -> Iterator[Span]:
        """Yield where the words are in DATA without its gaps; TEXT is its canonical spelling."""
        blocks = memoryview(text)[: len(text) // BLOCK * BLOCK].cast("Q")
        if self._blocks.isdisjoint(blocks) and not any(anchor in text for anchor in self._short):
            return
        joined = _Joined(data, gap)
        seen = (word for word in self.words if any(anchor in text for anchor in word.anchors))
        for pattern in (pattern for word in seen for pattern in word.patterns):
            at = 0
            while match := pattern.search(joined.data, at):
                yield joined.place(match.start()), joined.place(match.end() - 1) + 1
                at = match.start() + 1

    def unfinished(self, data: bytes) -> int:
        """Return how many bytes at the end of DATA may be the beginning of a word."""
        if not self.words:
            return 0
        tail = canonical(data[-4 * self._longest - 256 :])[-self._longest :]
        heads = ((at, self._heads.get(tail[at : at + 4], ())) for at in range(len(tail) - 3))
        begun = (
            len(tail) - at
            for at, forms in heads
            for form in forms
            if len(form) > len(tail) - at and form.startswith(tail[at:])
        )
        count = next(begun, 0) or next((size for size in (3, 2, 1) if tail[-size:] in self._stubs), 0)
        at = len(data)
        while count:
            at -= 1
            count -= data[at] not in BLANK
        return len(data) - at


class _Joined:
    """DATA without its gaps."""

    def __init__(self, data: bytes, gap: re.Pattern[bytes]) -> None:
        parts: list[bytes] = []
        self._starts, self._removed = [0], [0]  # from where on in `data` how many bytes are missing
        end = size = 0
        for match in gap.finditer(data):
            parts.append(data[end : match.start()])
            size += len(parts[-1])
            end = match.end()
            self._starts.append(size)
            self._removed.append(end - size)
        self.data = b"".join([*parts, data[end:]])

    def place(self, index: int) -> int:
        """Return where in the original the byte at INDEX is."""
        return index + self._removed[bisect_right(self._starts, index) - 1]


def _masked(data: bytes, spans: list[Span]) -> bytes:
    parts, end = [], 0
    for start, stop in spans:
        parts += [data[end:start], MASK]
        end = stop
    return b"".join([*parts, data[end:]])
