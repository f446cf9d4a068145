"""A Go program compiled from modules pinned by a go.mod and go.sum, kept in the cache under a fingerprint.

The Go version is not part of the fingerprint: a newer Go is no reason to compile the same for four minutes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from longshore.command import Command, query
from longshore.errors import CommandFailed, DiskFull, Precondition
from longshore.local.build import Progress, toolchain
from longshore.local.build.lock import exclusive
from longshore.runner import Runner
from longshore.settings import Settings

DEADLINE = 3600.0
ROOM = 256 << 20  # bytes; with less free than this, a failed build is taken for a full disk
# Debug information would be written by the compiler (a sixth of its time) and thrown away by the linker. Inlining, and proving that an
# index is in bounds, are a quarter to a half of the rest, for code that mostly waits; the standard library keeps both.
COMPILING = ("-gcflags=all=-dwarf=false -l -d=ssa/prove/off", "-gcflags=std=-dwarf=false")
HEADING = re.compile(r"# (\S+)")  # `go build -n` heads what it would do for a package by "# import/path"
FETCHING = re.compile(r"go: downloading (\S+)")


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is compiled, and how. `source` holds go.mod and main.go; `links` are further names of a binary."""

    name: str  # its folder in the cache
    title: str
    source: Path
    packages: tuple[str, ...]
    binaries: tuple[str, ...]
    tags: tuple[str, ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)  # Go variables that hold a version
    links: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of `go build` that decide what the binary is."""
        linking = " ".join(("-s", "-w", *(f"-X {name}={value}" for name, value in self.stamps.items())))
        return ("-trimpath", *COMPILING, "-tags", ",".join(self.tags), "-ldflags", linking)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the binaries are made from."""
        made_of = ((*self.arguments, *self.packages), self.binaries, dict(self.links), platform.machine())
        seen = hashlib.sha256(repr(made_of).encode())
        for file in sorted(path for path in self.source.rglob("*") if path.suffix in (".go", ".mod", ".sum")):
            seen.update(f"\0{file.relative_to(self.source)}\0".encode() + file.read_bytes())
        return seen.hexdigest()[:16]

    def path(self, settings: Settings, binary: str) -> Path:
        """Return where BINARY is, or will be."""
        return settings.cache / self.name / self.fingerprint / binary

    def ready(self, settings: Settings) -> bool:
        """Tell whether it is compiled. They are put in place together, so the first binary speaks for all."""
        return self.path(settings, self.binaries[0]).is_file()

    def start(self, settings: Settings, runner: Runner, progress: Progress) -> None:
        """Compile it, unless it is compiled; an interrupted build goes on where it was, by Go's own cache.

        Raises Precondition when the modules cannot be fetched, CommandFailed when it does not compile,
        DiskFull.
        """
        if self.ready(settings):
            return
        go = toolchain.start(settings, runner, progress)
        home = settings.cache / self.name
        with exclusive(home / "lock", runner, progress, f"compiling {self.title}"):
            if not self.ready(settings):
                _compile(self, go, home, runner, progress)


def _compile(program: Program, go: Path, home: Path, runner: Runner, progress: Progress) -> None:
    for stale in home.glob(".draft-*"):  # of a process that was killed: we hold the lock, so it is gone
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".draft-", ignore_cleanup_errors=True) as name:
        draft = Path(name)
        (out := draft / "out").mkdir()
        try:
            planned = _plan(program, go, draft, runner, progress)
            counter = Counter(planned, program.title, progress)
            if standard := [name for name in planned if "." not in name.partition("/")[0]]:
                with exclusive(home.parent / "go-std.lock", runner, progress, "compiling Go's own library"):
                    runner.run(_command(program, go, draft, "-v", packages=standard), on_line=counter.see)
                    for package in standard:  # the other process may have compiled it
                        counter.see(package)
            runner.run(_command(program, go, draft, "-v", "-o", f"{out}/"), on_line=counter.see)
        except (CommandFailed, Precondition) as problem:
            if min(shutil.disk_usage(folder).free for folder in (home, Path.home())) < ROOM:
                sentence = f"the disk is full: {program.title} could not be compiled"
                raise DiskFull(sentence, detail=problem.detail) from None
            raise
        _put(program, out, home / program.fingerprint)


def _plan(program: Program, go: Path, draft: Path, runner: Runner, progress: Progress) -> set[str]:
    """Fetch the modules, and return the packages to compile: those that Go's cache does not hold."""
    modules = (program.source / "go.mod").read_text().count(" v")
    fetched: set[str] = set()
    planned: set[str] = set()

    def see(line: str) -> None:
        if heading := HEADING.fullmatch(line):
            planned.add(heading[1])
        elif module := FETCHING.match(line):
            fetched.add(module[1])
            progress(f"fetching {module[1]}", min(len(fetched), modules), modules)

    progress(f"looking at what is needed for {program.title}", None, None)
    result = runner.run(_command(program, go, draft, "-n"), on_line=see, check=False)
    if result.exit_code != 0:
        raise Precondition(
            f"the Go modules of {program.title} could not be fetched",
            hint="`go env GOPROXY` names the module proxy; what was fetched is kept: run the same again",
            detail=result.tail,
        )
    return planned


def _command(program: Program, go: Path, draft: Path, *mode: str, packages: Iterable[str] = ()) -> Command:
    env = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOGC": "off",  # the compiler spends a fifth of its time collecting garbage otherwise
        "GOMEMLIMIT": "1GiB",  # of each compiler; few need more than a third of it
        "GOROOT": str(go.resolve().parents[1]),
        "GOTMPDIR": str(draft),  # a killed build leaves its work files: they go with the draft
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    argv = (str(go), "build", *mode, *program.arguments, *(packages or program.packages))
    return query(*argv, cwd=program.source, env=env, deadline=DEADLINE)


class Counter:
    """Turns the lines of `go build -v`, one per package as its compilation begins, into progress."""

    def __init__(self, planned: set[str], title: str, progress: Progress) -> None:
        self._left, self._total, self._title, self._progress = set(planned), len(planned), title, progress
        progress(f"compiling {title}" if planned else f"linking {title}", 0, self._total)

    def see(self, line: str) -> None:
        """Take one line of output."""
        if line not in self._left:
            return
        self._left.discard(line)
        done = self._total - len(self._left)
        self._progress(f"compiling {line}" if self._left else f"linking {self._title}", done, self._total)


def _put(program: Program, out: Path, target: Path) -> None:
    """Move the finished binaries into place in one step; they are on the disk before their name is."""
    for binary in program.binaries:
        with (out / binary).open("rb") as stream:
            os.fsync(stream.fileno())
    for link, binary in program.links.items():
        (out / link).symlink_to(binary)
    out.rename(target)
