"""Go programs compiled from modules that a go.mod and go.sum pin, kept in the cache under a fingerprint.

The Go version is not part of the fingerprint: a newer Go is no reason to compile the same again for four minutes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from msgspec import Struct, field

from localcloud.build import toolchain
from localcloud.progress import Progress, draft, exclusive
from longshore.errors import CommandFailed, DiskFull, Precondition
from longshore.process.command import Command, query
from longshore.process.runner import Runner
from longshore.settings.model import Settings

DEADLINE = 3600.0
# Where modules come from and are kept. How they are compiled, the command itself says.
TAKES = (
    *("GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOAUTH", "GOVCS", "NETRC"),
    *("GOPATH", "GOCACHE", "GOMODCACHE", "GOENV", "SSH_AUTH_SOCK"),
)
ROOM = 256 << 20  # bytes; if less is free, a failed build is reported as a full disk
# The compiler would write debug information (a sixth of its time) that the linker then drops. Inlining and proving
# that indices are in bounds take a quarter to a half of the rest, for code that mostly waits; the standard library
# keeps both.
COMPILING = ("-gcflags=all=-dwarf=false -l -d=ssa/prove/off", "-gcflags=std=-dwarf=false")
HEADING = re.compile(r"# (\S+)")  # `go build -n` prints "# import/path" before the commands of a package
DOWNLOADING = re.compile(r"go: downloading (\S+)")


class Program(Struct, frozen=True, kw_only=True, dict=True):
    """What to compile, and how. `source` holds go.mod and main.go; `links` are more names for a binary."""

    name: str  # its folder in the cache
    title: str
    source: Path
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
        """A hash of everything that the binaries are made from."""
        made_of = ((*self.arguments, "."), self.binaries, dict(self.links), platform.machine())
        digest = hashlib.sha256(repr(made_of).encode())
        for file in sorted(path for path in self.source.rglob("*") if path.suffix in (".go", ".mod", ".sum")):
            digest.update(f"\0{file.relative_to(self.source)}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:16]

    def path(self, settings: Settings, binary: str) -> Path:
        """Return where BINARY is, or will be."""
        return settings.cache / self.name / self.fingerprint / binary

    def ready(self, settings: Settings) -> bool:
        """Whether it is compiled. All binaries appear together, so the first one stands for all."""
        return self.path(settings, self.binaries[0]).is_file()

    def start(self, settings: Settings, runner: Runner, progress: Progress) -> None:
        """Compile it unless that is done; an interrupted build resumes from Go's own cache.

        Raises Precondition if the modules cannot be downloaded, CommandFailed if it does not compile, DiskFull.
        """
        if self.ready(settings):
            return
        go = toolchain.start(settings, runner, progress)
        home = settings.cache / self.name
        with draft(home, runner, progress, f"compiling {self.title}") as work:
            if not self.ready(settings):
                _compile(self, go, work, runner, progress)


def _compile(program: Program, go: Path, work: Path, runner: Runner, progress: Progress) -> None:
    home, out = work.parent, work / "out"
    out.mkdir()
    try:
        planned = _plan(program, go, work, runner, progress)
        counter = Counter(planned, program.title, progress)
        if standard := [name for name in planned if "." not in name.partition("/")[0]]:
            with exclusive(home.parent / "go-std.lock", runner, progress, "compiling Go's standard library"):
                runner.run(_command(program, go, work, "-v", packages=standard), on_line=counter.see)
                for package in standard:  # another process may have compiled it
                    counter.see(package)
        runner.run(_command(program, go, work, "-v", "-o", f"{out}/"), on_line=counter.see)
    except (CommandFailed, Precondition) as problem:
        if min(shutil.disk_usage(folder).free for folder in (home, Path.home())) < ROOM:
            sentence = f"the disk is full: {program.title} could not be compiled"
            raise DiskFull(sentence, detail=problem.detail) from None
        raise
    _put(program, out, home / program.fingerprint)


def _plan(program: Program, go: Path, work: Path, runner: Runner, progress: Progress) -> set[str]:
    """Download the modules; return the packages to compile, which are those not in Go's build cache."""
    modules = (program.source / "go.mod").read_text().count(" v")
    downloaded, planned = set[str](), set[str]()

    def see(line: str) -> None:
        if heading := HEADING.fullmatch(line):
            planned.add(heading[1])
        elif module := DOWNLOADING.match(line):
            downloaded.add(module[1])
            progress(f"downloading {module[1]}", min(len(downloaded), modules), modules)

    progress(f"listing what {program.title} needs")
    result = runner.run(_command(program, go, work, "-n"), on_line=see, check=False)
    if result.exit_code != 0:
        raise Precondition(
            f"the Go modules of {program.title} could not be downloaded",
            hint="check that the module proxy can be reached (`go env GOPROXY`), then run the same command again; "
            "it continues with what was downloaded",
            detail=result.tail,
        )
    return planned


def _command(program: Program, go: Path, work: Path, *mode: str, packages: Iterable[str] = (".",)) -> Command:
    env = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOGC": "off",  # else the compiler spends a fifth of its time in garbage collection
        "GOMEMLIMIT": "1GiB",  # per compiler; few need more than a third of it
        "GOROOT": str(go.resolve().parents[1]),
        "GOTMPDIR": str(work),  # a killed build leaves its work files, removed with the draft
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    argv = (str(go), "build", *mode, *program.arguments, *packages)
    return query(*argv, cwd=program.source, takes=TAKES, env=env, deadline=DEADLINE)


class Counter:
    """Turns the output of `go build -v`, a line per package as its compilation begins, into progress."""

    def __init__(self, planned: set[str], title: str, progress: Progress) -> None:
        self._left, self._total, self._title, self._progress = set(planned), len(planned), title, progress
        progress(f"compiling {title}" if planned else f"linking {title}", 0, self._total)

    def see(self, line: str) -> None:
        """Count the package that LINE names."""
        if line not in self._left:
            return
        self._left.discard(line)
        done = self._total - len(self._left)
        self._progress(f"compiling {line}" if self._left else f"linking {self._title}", done, self._total)


def _put(program: Program, out: Path, target: Path) -> None:
    """Move the finished binaries into place in one step, after their content has reached the disk."""
    for binary in program.binaries:
        with (out / binary).open("rb") as stream:
            os.fsync(stream.fileno())
    for link, binary in program.links.items():
        (out / link).symlink_to(binary)
    out.rename(target)
