"""Makes text of others harmless: what pods, tests, Terraform and builders print must not steer a terminal or a CI log.

Colours are removed; any other control character is shown, as is what reorders text. Ours come after.
"""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TextIO

LONG = 4000  # characters of one line; the runner cuts what programs print to less

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# Controls but tab and newline (C0, DEL, C1), marks of writing direction, halves of characters.
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SECTION = re.compile(r"(section_(?:start|end)):")  # GitLab folds its log at these
_COMMAND = re.compile(r"^(\s*):(?=:)|(##)(?=\[)", re.MULTILINE)  # GitHub's runner obeys these: `::error::`, `##[error]`


def prepare_streams() -> None:
    """Have the standard streams open and able to print any text, however the program was started.

    A closed one (`>&-`) becomes /dev/null: otherwise the next file that is opened takes its number, and is printed to.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # it takes the lowest number that is free
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 has no sign for `✔`


def abandon(stream: TextIO) -> None:
    """Have STREAM, which cannot be written, lead nowhere from now on, with what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def harmless(text: str) -> str:
    """Return TEXT for a terminal: `␛[2J` for what would clear it, `<U+202E>` for what would turn it around."""
    text = _COLOUR.sub("", text).replace("\r\n", "\n")
    return _COMMAND.sub(_disarmed, _SECTION.sub(r"\1\:", _UNSAFE.sub(_shown, text)))


def shortened(text: str, log: object = None) -> str:
    """Return TEXT with each long line cut, saying how much more there is, in LOG if it is there."""
    if len(text) <= LONG:
        return text
    return "\n".join(_cut(line, log) for line in text.split("\n"))


def _cut(line: str, log: object) -> str:
    if len(line) <= LONG:
        return line
    more = len(line[LONG:].encode(errors="replace"))
    size = f"{more / 1e6:.1f} MB" if more >= 100_000 else f"{more / 1e3:.1f} kB"
    return f"{line[:LONG]}… {size} more" + (f", whole in {log}" if log else "")


def _disarmed(match: re.Match[str]) -> str:
    """Return it with a backslash after `:` or `##`."""
    return f"{match[0]}\\"


def _shown(match: re.Match[str]) -> str:
    """Return the picture of a control character, or the number of what has none."""
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"
