"""The files of a checkout and the hashes of their contents: those that git tracks or would add, each hashed once for as long as it stays.

A hash is taken from the stat cache when the file's size, inode, mode and both of its times are those seen when it was hashed, and the
later of "changed" is safely older than that moment. A file that was written while, or just before, it was hashed may be written again
within the same tick of the clock; its entry is never believed (git's "racily clean"). No program can set the time of the last
change, so neither `touch -d` nor a checkout deceives it; and a clock that was set back makes all entries worthless.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from longshore.steps.memory import write_atomically

IGNORED = {"__pycache__", ".git", ".terraform", ".longshore", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
TICK = 50_000_000  # ns; kernels take the time of a change from a clock that ticks 100 to 1000 times a second
COARSE = 2_500_000_000  # ns; some file systems keep whole seconds, or every second one
CHUNK = 1 << 20

Entry = tuple[int, int, int, int, int, str]  # size, changed (ns), modified (ns), inode, mode, hash


class _Saved(msgspec.Struct, frozen=True):
    saved: int
    entries: dict[str, Entry]


class Tree:
    """The checkout under ROOT. LISTED returns what git lists, separated by NUL, or None where there is no git."""

    def __init__(self, root: Path, work: Path, listed: Callable[[], str | None] = lambda: None) -> None:
        self.root, self.work, self._top = root, work, str(root)
        self.listed = listed
        self._names: list[str] | None = None
        self._stats: dict[str, Entry] | None = None
        self._fresh: dict[str, Entry] = {}
        self._moment = 0
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return the files of the checkout relative to its root, sorted: tracked ones that exist, and untracked ones not ignored."""
        with self._lock:
            names = self._names
            if names is None:
                listed = self.listed()
                names = sorted(_walk(self.root, "") if listed is None else set(self._expand(listed)))
                self._names = names
        return names

    def refresh(self) -> None:
        """Forget what was listed: something has run, and may have left files."""
        self._names = None

    def match(self, patterns: Iterable[str], *, ignored: bool = False) -> list[str]:
        """Return the names that PATTERNS select; a leading `!` takes some out again. IGNORED counts what git ignores as well."""
        wanted = tuple(patterns)
        names = self._everything(wanted) if ignored else self.names()
        chosen = selector(wanted)
        return [name for name in names if chosen(name)]

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """Return name and hash of each file that exists; an executable's hash ends with `+x`, a link's is that of its target's name."""
        entries = self._load()
        found = {}
        for name in names:
            if (entry := self._entry(name, entries)) is not None:
                found[name] = f"{entry[5]}+x" if entry[4] & 0o111 and not stat.S_ISLNK(entry[4]) else entry[5]
        return found

    def save(self) -> None:
        """Keep what was hashed for the next run; losing it costs time, so a full disk or a read-only one is no failure."""
        if not self._fresh or self._stats is None:
            return
        kept = {
            name: entry
            for name, entry in self._stats.items()
            if name in self._fresh or os.path.lexists(os.path.join(self._top, name))
        }
        self._fresh = {}
        try:
            saved = msgspec.msgpack.encode(_Saved(saved=self._moment, entries=kept))
            write_atomically(self._file, saved, sync=False)
        except OSError:
            return

    @property
    def _file(self) -> Path:
        return self.work / "stat"

    def _load(self) -> dict[str, Entry]:
        with self._lock:
            if self._stats is None:
                self._moment = self._now()
                try:
                    found = msgspec.msgpack.decode(self._file.read_bytes(), type=_Saved)
                except (OSError, msgspec.MsgspecError):
                    found = _Saved(saved=0, entries={})
                # Where the clock stands before the moment of the last save, times say nothing any more.
                self._stats = found.entries if found.saved <= self._moment else {}
            return self._stats

    def _now(self) -> int:
        """Return what the clock of this file system says, which on a network is not ours."""
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.work) as probe:
                probe.write(b"x")
                probe.flush()
                return os.fstat(probe.fileno()).st_ctime_ns
        except OSError:
            return 0  # nothing is safely older: everything is read

    def _entry(self, name: str, entries: dict[str, Entry]) -> Entry | None:
        path = name if name[0] == "/" else f"{self._top}/{name}"
        try:
            seen = os.lstat(path)
        except OSError:
            return None
        looks = (seen.st_size, seen.st_ctime_ns, seen.st_mtime_ns, seen.st_ino, seen.st_mode)
        known = entries.get(name)
        if known is not None and known[:5] == looks:
            return known
        content = _content(path, seen.st_mode)
        if content is None:
            return None
        entry = (*looks, content)
        if not stat.S_ISDIR(seen.st_mode) and seen.st_ctime_ns < self._moment - _slack(seen.st_ctime_ns):
            entries[name] = self._fresh[name] = entry
        return entry

    def _expand(self, listed: str) -> Iterator[str]:
        for name in listed.split("\0"):
            if name.endswith("/"):
                yield from _walk(
                    self.root, name.rstrip("/")
                )  # a repository within: git names it, and no more
            elif name:
                yield name

    def _everything(self, patterns: tuple[str, ...]) -> list[str]:
        names: set[str] = set()
        for pattern in patterns:
            fixed = re.split(r"[*?\[]", pattern.removeprefix("!"))[0]
            whole = fixed == pattern
            top = fixed if whole else fixed.rpartition("/")[0]
            if os.path.isdir(self.root / top):
                names.update(_walk(self.root, top) if whole or "**" in pattern else _folder(self.root, top))
            elif whole:
                names.add(pattern)
        return sorted(names)


def _slack(changed: int) -> int:
    return COARSE if changed % 1_000_000_000 == 0 else TICK


def _content(path: str, mode: int) -> str | None:
    """Return the hash of the file at PATH; one that cannot be read counts by that, and one that has gone is None."""
    try:
        if stat.S_ISLNK(mode):
            return hashlib.sha256(os.readlink(path).encode()).hexdigest()
        if stat.S_ISDIR(mode):  # a submodule
            inside = {name: _content(f"{path}/{name}", 0o100000) for name in sorted(_walk(Path(path), ""))}
            return hashlib.sha256(repr(inside).encode()).hexdigest()
        if not stat.S_ISREG(mode):
            return "no file"
        descriptor = os.open(path, os.O_RDONLY)
        try:
            total = hashlib.sha256()
            while chunk := os.read(descriptor, CHUNK):
                total.update(chunk)
            return total.hexdigest()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as problem:
        return f"unreadable: {problem.strerror}"


def _walk(root: Path, top: str) -> Iterator[str]:
    start = f"{root}/{top}" if top else str(root)
    for parent, folders, names in os.walk(start):
        folders[:] = [name for name in folders if name not in IGNORED]
        inside = parent[len(str(root)) + 1 :]
        links = [name for name in folders if os.path.islink(f"{parent}/{name}")]
        for name in (*names, *links):
            if not name.endswith((".pyc", "~")):
                yield f"{inside}/{name}" if inside else name


def _folder(root: Path, top: str) -> Iterator[str]:
    with os.scandir(root / top) as entries:
        yield from (f"{top}/{e.name}" if top else e.name for e in entries if not e.is_dir())


@cache
def selector(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return whether a name is one of PATTERNS: a file, a folder with all in it, or `*`, `?`, `**/` as in .gitignore; `!` excludes."""
    take = [_regex(pattern) for pattern in patterns if not pattern.startswith("!")]
    leave = [_regex(pattern[1:]) for pattern in patterns if pattern.startswith("!")]
    taken = re.compile("|".join(take) or r"(?!)").fullmatch
    if not leave:
        return lambda name: taken(name) is not None
    left = re.compile("|".join(leave)).fullmatch
    return lambda name: taken(name) is not None and left(name) is None


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.rstrip("/"))
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(special.get(part) or re.escape(part) for part in parts)
    return f"(?:{text})" if "*" in pattern or "?" in pattern else f"(?:{text}(?:/.*)?)"
