"""A snapshot is what one run acts on: the files of one git tree, by name and content."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from longshore.snapshot import context
from longshore.snapshot.patterns import selector

MARKS = ((codecs.BOM_UTF32, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The sources of a run.

    `commit` is the full hash of HEAD. `revision` is what a release is called: 12 digits of it and, where what is
    deployed differs from the commit (`dirty`), `-dirty-` with 8 digits of a hash of that. `entries` are the files:
    git's mode and object id by name, relative to the project's root. `checkout` puts them into a folder that nobody
    may write to and returns it; `workspace` into one that the gates run in, of which `edited` names the files that
    are no longer the same. `read` returns what the file of that name holds.
    """

    commit: str
    revision: str
    dirty: bool
    entries: Mapping[str, str]
    checkout: Callable[[], Path] = field(repr=False, compare=False)
    workspace: Callable[[], Path] = field(default=Path, repr=False, compare=False)
    edited: Callable[[], list[str]] = field(default=list, repr=False, compare=False)
    read: Callable[[str], bytes] = field(default=lambda _: b"", repr=False, compare=False)
    _contexts: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def text(self, name: str) -> str:
        """Return what the file NAME says, whatever mark it begins with, with plain line ends; empty without one.

        PowerShell's `>` writes UTF-16, and pip reads that.
        """
        data = self.read(name) if name in self.entries else b""
        encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8-sig")
        return data.decode(encoding, errors="replace").replace("\r\n", "\n")

    def match(self, patterns: Iterable[str]) -> list[str]:
        """Return the names that PATTERNS select, sorted."""
        return sorted(filter(selector(tuple(patterns)), self.entries))

    def context(self, dockerfile: str) -> tuple[str, ...]:
        """Return the names of all that decides what a build by DOCKERFILE makes, sorted.

        That is what the builder is sent, the Dockerfile itself, and the file that says what is left out.
        """
        known = self._contexts
        if dockerfile not in known:
            known[dockerfile] = context_of(self.entries, self.read, dockerfile)
        return known[dockerfile]

    def fingerprint(self, patterns: Iterable[str], *values: object) -> str:
        """Return a hash (64 hex digits) of the files that PATTERNS select and of VALUES (anything JSON can hold)."""
        return self.hashed(self.match(patterns), *values)

    def hashed(self, names: Iterable[str], *values: object) -> str:
        """Return a hash (64 hex digits) of the files NAMES and of VALUES (anything JSON can hold)."""
        files = [(name, self.entries[name]) for name in names]
        return hashlib.sha256(json.dumps([values, files], sort_keys=True, default=str).encode()).hexdigest()


def context_of(entries: Mapping[str, str], read: Callable[[str], bytes], dockerfile: str) -> tuple[str, ...]:
    """Return `Snapshot.context` of the files ENTRIES, of which READ returns what one holds."""
    ignore = context.ignore_file(dockerfile, entries)
    made = "" if dockerfile in entries else context.GENERATED
    kept = context.selector(read(ignore).decode(errors="replace") if ignore else made, ignore)
    always = {ignore, dockerfile}
    return tuple(sorted(name for name in entries if name in always or kept(name)))
