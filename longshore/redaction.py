"""Secrets are cut out of a stream of bytes, wherever its chunks happen to end."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

from longshore.command import Secret

MASK = b"[redacted]"
SHORTEST = 6  # a shorter value would blank out ordinary words; settings refuse secrets this short


def _forms(value: str) -> set[bytes]:
    """Return the spellings under which a value leaks: plain, URL-quoted, and base64 at each alignment."""
    raw = value.encode()
    forms = {raw, quote(value, safe="").encode(), value.replace("\n", "\\n").encode()}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        # The first and last characters of the encoding also hold bits of the neighbours.
        forms.add(encoded[(offset * 8 + 5) // 6 : len(encoded) - 1])
    return {form for form in forms if len(form) >= SHORTEST}


class Redactor:
    """Replaces each form of each secret by a mask; `feed` holds back what may be the start of one."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms: set[bytes] = set()
        for secret in secrets:
            forms |= _forms(secret.reveal())
        self._forms = sorted(forms, key=len, reverse=True)
        self._hold = max(map(len, self._forms), default=1) - 1
        self._kept = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are safe to show."""
        if not self._forms:
            return chunk
        text = self._replace(self._kept + chunk)
        cut = max(0, len(text) - self._hold)
        self._kept = text[cut:]
        return text[:cut]

    def flush(self) -> bytes:
        """Return what was held back; the stream has ended."""
        rest, self._kept = self._replace(self._kept), b""
        return rest

    def text(self, text: str) -> str:
        """Redact a whole text at once, apart from any stream."""
        return self._replace(text.encode(errors="replace")).decode(errors="replace")

    def _replace(self, data: bytes) -> bytes:
        for form in self._forms:
            data = data.replace(form, MASK)
        return data
