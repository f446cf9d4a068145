"""The spellings under which a secret leaks: encoded, escaped, quoted, or one line of many."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from html.entities import codepoint2name
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters; masking a shorter value would mask ordinary words
LINE = 12  # characters of a line that is secret on its own, apart from the value that it is a line of
PIECE = 256  # characters
HEADER = re.compile(r"-----.*-----$|\[.*\]$")  # a line that tells the kind of the others
# Values that nobody can keep secret, and that stand in ordinary output.
COMMON = frozenset(
    (
        "admin",
        "changeme",
        "default",
        "disabled",
        "docker",
        "enabled",
        "example",
        "localhost",
        "longshore",
        "nothing",
        "password",
        "postgres",
        "production",
        "secret",
        "staging",
        "testing",
        "username",
    )
)
ANCHOR = 24  # bytes; more would not make a chance hit less likely

# A text of many backslashes takes long where their number has no bound: each may be the first.
# Whitespace of a secret, as it may come out: none, other whitespace, or escaped in some way.
SPACE = (
    rb"(?:\\*[\s+]|\\+[nrtvf]|\\+(?:u00|x)(?:20|0[9adAD])|%(?:25)*(?:20|0[9adAD])"
    rb"|&#(?:9|1[03]|32|[xX](?:9|[aAdD]|20));)*"
)
LOWER = bytes(range(256)).lower()
BLANK = b" \t\r\n\v\f"


def canonical(data: bytes) -> bytes:
    """Return DATA in lower case and without whitespace: a form is in DATA only if its anchor is in this."""
    return data.translate(LOWER, BLANK)


def words(value: str) -> Iterator[str]:
    """Return what must not be readable of VALUE: all of it, in pieces, and each of its lines that is long enough."""
    whole = value.strip()
    if len(whole) < SHORTEST or whole.lower() in COMMON:
        return
    yield from _pieces(whole)
    lines = [line.strip() for line in whole.splitlines()]
    if len(lines) > 1:
        yield from (piece for line in lines if len(line) >= LINE and not HEADER.match(line) for piece in _pieces(line))


def _pieces(text: str) -> Iterator[str]:
    """Cut TEXT so that a long secret is recognised where only a part of it is printed."""
    last = max(0, len(text) - PIECE)
    yield from (text[at : at + PIECE].strip() for at in (*range(0, last, PIECE), last))


class Word:
    """A text without leading or trailing whitespace, and how to find it in bytes.

    `anchors`: a piece of each of its forms that no escaping changes, in canonical spelling. Where none of them is,
    `patterns` need not be tried. `forms` are the common forms whole, in canonical spelling.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        raw = encode(text)
        self._base64 = list(_base64(text))
        encoded = [raw.hex().encode(), *self._base64]
        self.anchors = frozenset(_anchor(form) for form in [raw, *encoded])
        urlsafe = [form.replace(b"+", b"-").replace(b"/", b"_") for form in encoded]
        self.forms = frozenset(canonical(form) for form in [*map(encode, _escaped(text)), *encoded, *urlsafe])

    @cached_property
    def patterns(self) -> list[re.Pattern[bytes]]:
        """Find each form in bytes from which line breaks have been removed. Compiled only where an anchor was seen."""
        raw = encode(self.text)
        branches = [_spelled(self.text, lambda char: re.escape(encode(char)))]
        if not raw.isalnum():
            counts = (1, 2, 4, 8) if "\\" in self.text else (1,)  # JSON doubles the backslashes of JSON
            branches += [_spelled(self.text, partial(_backslashed, count)) for count in counts]
            branches += [_spelled(self.text, spelling) for spelling in (_percent, _entity, _quoted)]
        branches += [raw.hex().encode(), raw.hex().upper().encode()]
        for form in self._base64:
            plus = re.escape(form).replace(rb"\+", rb"(?:[+-]|%2[Bb]|\\+u002[bB])")
            branches.append(plus.replace(b"/", rb"(?:\\*/|_|%2[Ff])"))
        return [re.compile(branch) for branch in dict.fromkeys(branches)]


def encode(text: str) -> bytes:
    """Return TEXT as a program would print it; what was no UTF-8 in an environment variable is as it was."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _anchor(form: bytes) -> bytes:
    """Return the longest run of letters and digits in FORM; empty if it has none, which is found everywhere."""
    return max(re.findall(rb"[A-Za-z0-9]+", form), key=len, default=b"")[:ANCHOR].lower()


def _base64(text: str) -> Iterator[bytes]:
    """Return base64 of TEXT, and of TEXT in JSON: what it alone decides, for each offset at which it may be encoded."""
    for raw in dict.fromkeys(encode(form) for form in (text, _json(text), _json(text, ensure_ascii=False))):
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + raw)
            yield encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]


def _json(text: str, **options: bool) -> str:
    return json.dumps(text, **options)[1:-1]  # type: ignore[arg-type]


def _escaped(text: str) -> Iterator[str]:
    """Return TEXT as the usual functions escape it."""
    yield from (text, _json(text), _json(_json(text)), _json(text, ensure_ascii=False))
    yield from (repr(text)[1:-1], html.escape(text), shlex.quote(text).strip("'"))
    yield from (text.replace("'", "''"), text.replace('"', '""'))
    if not any("\ud800" <= char < "\ue000" for char in text):
        yield from (quote(text, safe=""), quote(text, safe="/"), quote_plus(text))


def _spelled(text: str, spelling: Callable[[str], bytes]) -> bytes:
    """Return a pattern for TEXT with SPELLING for each of its characters that may need escaping."""
    parts = re.findall(r"([A-Za-z0-9]+)|([ \t\r\n\v\f]+)|(.)", text, re.DOTALL)
    return b"".join(plain.encode() or (blank and SPACE) or spelling(other) for plain, blank, other in parts)


def _backslashed(count: int, char: str) -> bytes:
    """JSON, C, Go, Python and shells: CHAR after backslashes, or its number. A backslash is COUNT of them."""
    raw, units = encode(char), char.encode("utf-16-be", "surrogatepass").hex()
    numbers = [
        rb"\\{1,16}".join(b"u" + units[at : at + 4].encode() for at in range(0, len(units), 4)),
        rb"\\{1,16}".join(b"x%02x" % byte for byte in raw),
        b"x%02x" % ord(char) if ord(char) < 256 else b"U%08x" % ord(char),
    ]
    number = rb"\\{1,16}(?i:%s)" % b"|".join(dict.fromkeys(numbers))
    if char == "\\":
        return rb"(?:\\{%d}|%s)" % (count, number)
    return rb"(?:\\{0,15}%s|%s)" % (re.escape(raw), number)


def _percent(char: str) -> bytes:
    """URLs: CHAR as it is, or the percent codes of its bytes, whose percent signs may be encoded again."""
    codes = b"".join(b"%%(?:25)*(?i:%02x)" % byte for byte in encode(char))
    return b"(?:%s|%s)" % (codes, re.escape(encode(char)))


def _entity(char: str) -> bytes:
    """HTML and XML: CHAR as it is, by its name or by its number."""
    number = ord(char)
    names = [*([codepoint2name[number]] if number in codepoint2name else []), *(["apos"] if char == "'" else [])]
    numbers = [f"#0*{number}", f"#[xX]0*(?i:{number:x})"]
    return b"(?:&(?:amp;)*(?:%s);|%s)" % ("|".join(names + numbers).encode(), re.escape(encode(char)))


def _quoted(char: str) -> bytes:
    """Shells: a quote within quotes, which JSON may have escaped again. YAML, SQL and CSV: a quote that is doubled."""
    if char == '"':
        return b'""?'
    return rb"""(?:'\\+''|'\\*"'\\*"'|''?)""" if char == "'" else re.escape(encode(char))
