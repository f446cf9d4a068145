"""Results of steps, kept by what went in: one entry for each set of inputs, one blob for each content of a report.

Every file is written in one step and checked when it is read, so runs side by side and a `kill -9` at any moment leave nothing that is
believed and wrong: an entry that does not check is a miss, and is said to be one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from longshore.steps import inputs as reading
from longshore.steps.graph import Passing, Step
from longshore.steps.memory import write_atomically
from longshore.steps.tree import Tree

FORM = 1  # of an entry; another number makes every older entry a miss
PASSING = 3600.0  # seconds for which a result holds that could not be had in full
LARGEST = 64 << 20  # bytes of one report; what is larger is not kept


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One success: of which step, with which inputs, what it said, how long it took (s), its reports' hashes.

    `until` is for how long it holds (s since 1970, 0 for ever); `partly` tells that something could not be examined.
    """

    step: str
    inputs: dict[str, str]
    note: str = ""
    seconds: float = 0.0
    until: float = 0.0
    partly: bool = False
    reports: dict[str, str] = {}
    form: int = FORM


class Remote(Protocol):
    """A store that several checkouts share. It may be slow, away or wrong: what it gives is checked like everything else."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, data: bytes) -> None: ...


@dataclass(frozen=True, kw_only=True)
class State:
    """What is known about a step before it runs: its inputs now, and a reason to leave it out, if there is one.

    `saved` is how long it took when it ran (s); `said` is what it said then, where that must be said again.
    """

    inputs: dict[str, str] = field(default_factory=dict)
    key: str = ""
    reason: str = ""
    saved: float = 0.0
    said: str = ""


@dataclass(kw_only=True)
class Cache:
    """The results kept in FOLDER for the checkout TREE, at most LIMIT bytes of them, and in REMOTE where there is one."""

    folder: Path
    tree: Tree
    limit: int = 512 << 20
    remote: Remote | None = None
    warn: Callable[[str], None] = lambda text: None
    forced: frozenset[str] = frozenset()
    _grown: bool = field(default=False, init=False)
    _took: dict[str, float] = field(default_factory=dict, init=False)

    def look(self, step: Step) -> State:
        """Return what is known about STEP. Takes reports out of the cache when that makes a run needless."""
        forced = step.name in self.forced
        if step.settled and not forced and (reason := step.settled()):
            return State(reason=reason)
        if step.reads is None:
            return State()
        found = step.reads.read(self.tree)
        key = reading.key(step.record, found)
        if step.settled or forced:
            return State(inputs=found, key=key)
        entry = self._entry(key)
        if entry is None or 0 < entry.until < time.time():
            return State(inputs=found, key=key)
        if entry.step != step.record or entry.inputs != found or not self._restore(entry):
            return State(inputs=found, key=key)
        reason = "unchanged" if self._pointer(step) == key else "known from an earlier run"
        if reason != "unchanged":
            self._point(step, key)
        said = entry.note if entry.partly else ""
        return State(inputs=found, key=key, reason=reason, saved=entry.seconds, said=said)

    def keep(self, step: Step, state: State, note: str | None, seconds: float) -> None:
        """Keep that STEP succeeded with the inputs of STATE, unless they changed meanwhile: nobody knows which of them it saw."""
        self._took[step.record] = round(seconds, 3)
        if not step.reads:
            return
        self.tree.refresh()
        now = step.reads.read(self.tree)
        pure, partly = step.settled is None, isinstance(note, Passing)
        if pure and now != state.inputs:
            return
        reports = self._take(step) if pure else {}
        holds = PASSING if partly else step.holds
        entry = Entry(
            step=step.record, inputs=now, note=str(note or ""), seconds=round(seconds, 3), reports=reports,
            until=round(time.time() + holds) if holds else 0, partly=partly,
        )  # fmt: skip
        key, data = reading.key(step.record, now), _sealed(msgspec.json.encode(entry))
        self._write(f"entries/{key}", data)
        self._point(step, key)
        if pure and not partly and self.remote:
            for content in reports.values():
                self.remote.put(f"blobs/{content}", (self.folder / "blobs" / content).read_bytes())
            self.remote.put(f"entries/{key}", data)

    def last(self, step: Step) -> Entry | None:
        """Return the last success of STEP in this checkout, where it is still kept."""
        key = self._pointer(step)
        return self._entry(key, near=True) if key else None

    def close(self) -> None:
        """Keep what was hashed, and throw out what was not used for longest when there is too much."""
        self.tree.save()
        if self._took:
            self._write("durations", msgspec.json.encode(self.durations() | self._took))
            self._took = {}
        if self._grown:
            self._prune()
            self._grown = False

    def durations(self) -> dict[str, float]:
        """Return how long each step took when it ran last, in seconds."""
        try:
            return msgspec.json.decode((self.folder / "durations").read_bytes(), type=dict[str, float])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _entry(self, key: str, *, near: bool = False) -> Entry | None:
        if (data := self._get(f"entries/{key}", _opened, near=near)) is None:
            return None
        try:
            entry = msgspec.json.decode(data, type=Entry)
        except msgspec.MsgspecError:
            return None
        if entry.form != FORM or reading.key(entry.step, entry.inputs) != key:
            self.warn(
                f"a cached result of {entry.step} is not of the inputs that it is kept under; it is left out"
            )
            return None
        return entry

    def _restore(self, entry: Entry) -> bool:
        """Have the reports of ENTRY in their places; return whether all are there."""
        here = self.tree.hashes(entry.reports)
        for name, content in entry.reports.items():
            if here.get(name, "").removesuffix("+x") == content:
                continue
            if (data := self._get(f"blobs/{content}", partial(_if_content, content))) is None:
                return False
            write_atomically(self.tree.root / name, data, sync=False)
        return True

    def _take(self, step: Step) -> dict[str, str]:
        """Keep the reports of STEP; return their hashes by name."""
        found = {}
        for name in step.reports:
            path = self.tree.root / name
            if path.is_file() and path.stat().st_size <= LARGEST:
                data = path.read_bytes()
                found[name] = _hash(data)
                self._write(f"blobs/{found[name]}", data)
        return found

    def _pointer(self, step: Step) -> str:
        try:
            return (self.folder / "last" / step.record).read_text()
        except OSError:
            return ""

    def _point(self, step: Step, key: str) -> None:
        self._write(f"last/{step.record}", key.encode())

    def _get(self, name: str, check: Callable[[bytes], bytes | None], *, near: bool = False) -> bytes | None:
        """Return what is kept under NAME, here or else (unless NEAR) in the shared store, as CHECK gives it back."""
        path = self.folder / name
        with contextlib.suppress(OSError):
            if (data := check(path.read_bytes())) is not None:
                os.utime(path)  # it was of use: see _prune
                return data
            self.warn(f"the cache's {name[:24]}… is damaged; it is left out")
            path.unlink(missing_ok=True)
        if near or self.remote is None or (found := self.remote.get(name)) is None:
            return None
        if (data := check(found)) is None:
            self.warn(f"the shared cache's {name[:24]}… is damaged; it is left out")
            return None
        self._write(name, found)
        return data

    def _write(self, name: str, data: bytes) -> None:
        self._grown = True
        with contextlib.suppress(OSError):  # a full disk costs a repetition, not the run
            write_atomically(self.folder / name, data, sync=False)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for part in ("entries", "blobs"):
            for path in (self.folder / part).glob("*"):
                with contextlib.suppress(OSError):  # another run may have thrown it out
                    seen = path.stat()
                    yield seen.st_mtime, seen.st_size, path

    def _prune(self) -> None:
        kept = 0
        for _, size, path in sorted(self._files(), reverse=True):
            kept += size
            if kept > self.limit:
                path.unlink(missing_ok=True)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _if_content(content: str, data: bytes) -> bytes | None:
    return data if _hash(data) == content else None


def _sealed(data: bytes) -> bytes:
    return _hash(data).encode() + b"\n" + data


def _opened(sealed: bytes) -> bytes | None:
    seal, _, data = sealed.partition(b"\n")
    return data if seal == _hash(data).encode() else None
