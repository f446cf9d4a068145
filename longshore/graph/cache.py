"""Results of steps, kept by what went in: one entry for each set of inputs, one blob for each content of a report.

Every file is written atomically and checked when it is read, so concurrent runs and a `kill -9` at any moment leave
nothing that is trusted and wrong: a corrupt entry is a miss, with a warning. So is one that is not signed where the
user has set a key. An entry puts back the reports that its step declares, and writes nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from longshore.files import from_json, write_atomically
from longshore.graph import inputs as reading
from longshore.graph.steps import Result, Step, Values
from longshore.snapshot.snapshot import Snapshot

FORMAT = 2  # of an entry; an entry of another format is a miss
PARTIAL = 3600.0  # seconds for which a partial result holds
LARGEST = 64 << 20  # bytes of one report; a larger one is not kept
HASH = re.compile("[0-9a-f]{64}")  # what is to name a file here: text of an entry may be anybody's


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One success: the step, its inputs, its note, how long it took (s), the hashes of its reports.

    `until` is when it expires (s since 1970, 0 for never); `partial` tells that something could not be examined.
    """

    step: str
    inputs: dict[str, str]
    note: str = ""
    seconds: float = 0.0
    until: float = 0.0
    partial: bool = False
    reports: dict[str, str] = {}
    format: int = FORMAT


class Remote(Protocol):
    """A store that several checkouts share. It may be slow, unreachable or wrong: what it returns is checked."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, data: bytes) -> None: ...


class State(Struct, frozen=True, kw_only=True):
    """What is known about a step before it runs: its inputs now and, where it need not run, the reason and its value.

    `saved` is how long it took when it ran (s); `note` is its note of then, where that must be repeated.
    """

    inputs: dict[str, str] = {}
    key: str = ""
    reason: str = ""
    value: object = None
    saved: float = 0.0
    note: str = ""


@dataclass(kw_only=True)
class Cache:
    """The results kept in FOLDER, at most LIMIT bytes of them, and in REMOTE if there is one.

    SOURCES returns the run's snapshot; reports are files below ROOT. Entries are signed with KEY, if there is one.
    """

    folder: Path
    root: Path
    sources: Callable[[], Snapshot]
    limit: int = 512 << 20
    remote: Remote | None = None
    key: bytes = b""
    warn: Callable[[str], None] = lambda text: None
    forced: frozenset[str] = frozenset()
    _grown: bool = field(default=False, init=False)
    _seconds: dict[str, float] = field(default_factory=dict, init=False)

    def look(self, step: Step, values: Values) -> State:
        """Return what is known about STEP, given the VALUES of what it needs.

        Restores reports that make a run needless.
        """
        forced = step.name in self.forced
        if step.settled and not forced and (result := step.settled(values)):
            return State(reason=result.note, value=result.value)
        if step.reads is None:
            return State()
        inputs = self.inputs(step, values)
        key = reading.key(step.record, inputs)
        if step.settled or forced:
            return State(inputs=inputs, key=key)
        entry = self._entry(key)
        if entry is None or 0 < entry.until < time.time() or not self._restore(step, entry):
            return State(inputs=inputs, key=key)
        reason = "unchanged" if self._pointer(step) == key else "known from an earlier run"
        if reason != "unchanged":
            self._point(step, key)
        note = entry.note if entry.partial else ""
        return State(inputs=inputs, key=key, reason=reason, saved=entry.seconds, note=note)

    def inputs(self, step: Step, values: Values) -> dict[str, str]:
        """Return what STEP reads now, given the VALUES of what it needs."""
        return step.reads.read(self.sources(), values.of(step.reads.outputs)) if step.reads else {}

    def keep(self, step: Step, state: State, result: Result, seconds: float) -> None:
        """Keep that STEP succeeded with the inputs of STATE, after SECONDS."""
        self._seconds[step.record] = round(seconds, 3)
        if not step.reads:
            return
        pure = step.settled is None
        reports = self._take(step) if pure else {}
        holds = PARTIAL if result.partial else step.holds
        entry = Entry(
            step=step.record,
            inputs=state.inputs,
            note=result.note,
            seconds=round(seconds, 3),
            reports={name: _hash(data) for name, data in reports.items()},
            until=round(time.time() + holds) if holds else 0,
            partial=result.partial,
        )
        sealed = self._sealed(msgspec.json.encode(entry))
        self._write(f"entries/{state.key}", sealed)
        self._point(step, state.key)
        if pure and not result.partial and self.remote:
            for data in reports.values():
                self.remote.put(f"blobs/{_hash(data)}", data)
            self.remote.put(f"entries/{state.key}", sealed)

    def last(self, step: Step) -> Entry | None:
        """Return the last success of STEP in this checkout, where it is still kept."""
        key = self._pointer(step)
        return self._entry(key, local=True) if key else None

    def close(self) -> None:
        """Keep how long steps took, and delete what was not used for longest when there is too much."""
        if self._seconds:
            self._write("durations", msgspec.json.encode(self.durations() | self._seconds))
            self._seconds = {}
        if self._grown:
            self._prune()
            self._grown = False

    def durations(self) -> dict[str, float]:
        """Return how long each step took when it last ran, in seconds."""
        try:
            return from_json((self.folder / "durations").read_bytes(), dict[str, float])
        except (OSError, ValueError):
            return {}

    def _entry(self, key: str, *, local: bool = False) -> Entry | None:
        if (data := self._get(f"entries/{key}", self._opened, local=local)) is None:
            return None
        try:
            entry: Entry = from_json(data, Entry)
            whole = reading.key(entry.step, entry.inputs) == key and all(map(HASH.fullmatch, entry.reports.values()))
        except ValueError:
            return None
        if entry.format != FORMAT or not whole:
            self.warn(f"ignoring a corrupt cache entry for {entry.step}")
            return None
        return entry

    def _restore(self, step: Step, entry: Entry) -> bool:
        """Have the reports of ENTRY in their places; return whether all are there."""
        if foreign := entry.reports.keys() - set(step.reports):
            self.warn(
                f"ignoring a cache entry for {step.name}: it has {min(foreign)!r}, which the step does not declare"
            )
            return False
        for name, content in entry.reports.items():
            path = self.root / name
            if not self._plain(path):
                self.warn(f"ignoring a cache entry for {step.name}: {name} is, or lies behind, a link")
                return False
            if path.is_file() and _hash(path.read_bytes()) == content:
                continue
            if (data := self._get(f"blobs/{content}", partial(_if_content, content))) is None:
                return False
            write_atomically(path, data, 0o600, sync=False)
        return True

    def _plain(self, path: Path) -> bool:
        """Return whether no link leads to PATH, which may be missing, and it is below the root."""
        return path.resolve() == self.root.resolve() / path.relative_to(self.root)

    def _take(self, step: Step) -> dict[str, bytes]:
        """Keep the reports of STEP; return what they hold by name."""
        reports = {}
        for name in step.reports:
            path = self.root / name
            if self._plain(path) and path.is_file() and path.stat().st_size <= LARGEST:
                reports[name] = data = path.read_bytes()
                self._write(f"blobs/{_hash(data)}", data)
        return reports

    def _pointer(self, step: Step) -> str:
        try:
            key = (self.folder / "last" / step.record).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        return key if HASH.fullmatch(key) else ""

    def _point(self, step: Step, key: str) -> None:
        self._write(f"last/{step.record}", key.encode())

    def _get(self, name: str, check: Callable[[bytes], bytes | None], *, local: bool = False) -> bytes | None:
        """Return what is kept under NAME, here or else (unless LOCAL) in the shared store, as CHECK returns it."""
        path = self.folder / name
        with contextlib.suppress(OSError):
            if (data := check(path.read_bytes())) is not None:
                os.utime(path)  # it was of use: see _prune
                return data
            self.warn(f"ignoring {name[:24]}… in the cache: it {self._refused(name)}")
            path.unlink(missing_ok=True)
        if local or self.remote is None or (shared := self.remote.get(name)) is None:
            return None
        if (data := check(shared)) is None:
            self.warn(f"ignoring {name[:24]}… in the shared cache: it {self._refused(name)}")
            return None
        self._write(name, shared)
        return data

    def _refused(self, name: str) -> str:
        signed = self.key and name.startswith("entries/")
        return "is not signed with the key that is set here" if signed else "is corrupt, or signed with a key"

    def _sealed(self, data: bytes) -> bytes:
        return self._seal(data) + b"\n" + data

    def _opened(self, sealed: bytes) -> bytes | None:
        seal, _, data = sealed.partition(b"\n")
        return data if hmac.compare_digest(seal, self._seal(data)) else None

    def _seal(self, data: bytes) -> bytes:
        """Return the signature of DATA or, without a key, the hash that shows damage."""
        return (hmac.new(self.key, data, "sha256").hexdigest() if self.key else _hash(data)).encode()

    def _write(self, name: str, data: bytes) -> None:
        self._grown = True
        with contextlib.suppress(OSError):  # a full disk costs a repetition, not the run
            write_atomically(self.folder / name, data, 0o600, sync=False)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for part in ("entries", "blobs"):
            for path in (self.folder / part).glob("*"):
                with contextlib.suppress(OSError):  # another run may have deleted it
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path

    def _prune(self) -> None:
        total = 0
        for _, size, path in sorted(self._files(), reverse=True):
            total += size
            if total > self.limit:
                path.unlink(missing_ok=True)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _if_content(content: str, data: bytes) -> bytes | None:
    return data if _hash(data) == content else None
