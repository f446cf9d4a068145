"""The images that pods and the Dockerfile start from, where no remote registry can be reached.

The stand-in for an official Python image is Debian's own Python, installed by mmdebstrap from the mirrors that this
machine's apt uses: of the release that has this version. If the image's registry answers, or apt names no Debian
mirror, there is no stand-in, and a build pulls the image itself.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
import time
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from localcloud import network
from localcloud.build import apt_sources
from localcloud.build.pip_settings import BUNDLE, render
from localcloud.build.programs import BUILDKIT, PAUSE
from localcloud.layout import Layout
from localcloud.packages import SYSTEM_PATH
from localcloud.ports import http_status
from localcloud.progress import Progress, draft
from localcloud.registry_login import headers
from longshore.errors import CommandFailed, Precondition
from longshore.files import Memory, write_if_changed
from longshore.image import registry
from longshore.image.base import FRESH
from longshore.image.registry import Reference
from longshore.process.command import Command, query
from longshore.process.runner import Runner
from longshore.settings.model import Settings

NAMED = re.compile(r"(?:[^/]+/)*python:(\d+\.\d+)\b")
SOURCE = Path(__file__).with_name("build") / "base"
LEFT_OUT = (
    *(f"/usr/share/{name}/*" for name in ("doc", "man", "info", "locale")),
    "/usr/lib/python3*/config-*/*.a",  # 40 MB; what a package is built from are the headers
)
HOOKS = Path("/usr/share/mmdebstrap/hooks/merged-usr")
PAUSE_TAG = "1"
DEADLINE = 900.0
DOWNLOADING = ("running apt-get update...", "downloading packages with apt...")
MANIFEST_TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"


class Release(Struct, frozen=True, kw_only=True):
    """A release of Debian, and the Python in it. No file in the image is newer than `epoch`.

    So the same packages give the same image. A release that is still `moving` may be a snapshot of some age.
    """

    name: str
    python: str
    epoch: int
    moving: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        merged = ("usr-is-merged",) if self.name == "bookworm" else ()  # else `usrmerge`, which brings all of Perl
        python = (f"python{self.python}", f"python{self.python}-venv", "python3-minimal", f"libpython{self.python}-dev")
        wheels = ("python3-pip-whl", "python3-setuptools-whl")
        return (*merged, *python, *wheels, "ca-certificates", "netbase", "tzdata", "media-types")


RELEASES = {
    release.python: release
    for release in (
        Release(name="bookworm", python="3.11", epoch=1686355200),
        Release(name="trixie", python="3.13", epoch=1754697600),
        Release(name="forky", python="3.14", epoch=1754697600, moving=True),
    )
}


def release(image: str) -> Release:
    """Return the release of Debian that stands in for IMAGE. Raises Precondition where none does."""
    version = NAMED.match(image)
    if version and version[1] in RELEASES:
        return RELEASES[version[1]]
    known = ", ".join(f"python:{python}" for python in RELEASES)
    raise Precondition(
        f"{image} cannot be had here: its registry does not answer, and Debian has no such Python",
        hint=f"`base_image` under [application] may be one of {known} (such as python:3.13-slim), whose versions "
        "Debian's releases have; or have this machine reach the registry",
    )


@cache
def _sources(name: str = "bookworm") -> tuple[str, ...]:
    return tuple(source.line for source in apt_sources.mirrors(name))


def _found(settings: Settings) -> dict[str, Any]:
    """What is known of the image's own registry: `digest`, empty where it did not answer, and when it was `asked`."""
    image = settings.application.base_image
    found = Memory(settings.cache / "images").get("registry").get(image)
    return found if isinstance(found, dict) else {}


def _pulled(settings: Settings) -> str:
    """Return the image by its digest where its own registry had it, else an empty text."""
    image, digest = settings.application.base_image, str(_found(settings).get("digest", ""))
    return f"{image.partition('@')[0]}@{digest}" if digest else ""


def _stands_in(settings: Settings) -> bool:
    return bool(_sources()) and not _pulled(settings)


def _ask(settings: Settings) -> None:
    """Ask the image's registry for it, and note what that says; what was known stays where it does not answer."""
    image = settings.application.base_image
    try:
        digest = registry.digest(Reference.of(image))
    except registry.Unreachable:
        digest = str(_found(settings).get("digest", ""))
    memory = Memory(settings.cache / "images")
    memory.put("registry", **{**memory.get("registry"), image: {"digest": digest, "asked": time.time()}})


@cache
def _fingerprint(image: str) -> str:
    chosen = release(image)
    made_of = (chosen.name, chosen.epoch, chosen.packages, LEFT_OUT, _sources(chosen.name), platform.machine())
    digest = hashlib.sha256(repr(made_of).encode())
    for file in (SOURCE / "customize.sh", SOURCE / "Dockerfile", Path(BUNDLE)):
        digest.update(b"\0" + (file.read_bytes() if file.exists() else b""))
    return digest.hexdigest()[:16]


def fingerprint(settings: Settings) -> str:
    """Return a hash of what is in the stand-in, or the image's name if there is no stand-in.

    Before it is made that is a hash of what it is made from, which newer packages do not change.
    """
    if not _stands_in(settings):
        return _pulled(settings) or settings.application.base_image
    try:
        archive = _archive(settings)
    except Precondition:  # the registry may still answer, and else `start` says why
        return settings.application.base_image
    known = archive.with_suffix(".sha256")
    if archive.is_file() and not known.is_file():
        with archive.open("rb") as stream:
            write_if_changed(known, hashlib.file_digest(stream, "sha256").hexdigest())
    return known.read_text(encoding="utf-8") if archive.is_file() else _fingerprint(settings.application.base_image)


def contexts(settings: Settings, layout: Layout) -> dict[str, str]:
    """Return the images that a build uses instead of those that the Dockerfile names."""
    image, pulled = settings.application.base_image, _pulled(settings)
    if pulled:
        return {image: pulled}
    return {image: f"{layout.registry}/{':'.join(_name(settings))}"} if _sources() else {}


# The stand-in's file system needs only the system packages, so it is made while other parts compile.


def ready(settings: Settings) -> bool:
    """Whether the stand-in is in the cache, or there is none; and whether the image's registry was asked today."""
    if not _sources():
        return True
    asked = _found(settings).get("asked", 0.0)
    fresh = isinstance(asked, int | float) and 0 <= time.time() - asked < FRESH
    return fresh and bool(_pulled(settings) or _made(settings))


def _made(settings: Settings) -> bool:
    try:
        return _archive(settings).is_file()
    except Precondition:  # `start` says so
        return False


def start(settings: Settings, runner: Runner, progress: Progress) -> str | None:
    """Make the stand-in's file system, unless the image's own registry answers; return which it is.

    Raises Precondition if the mirror cannot be reached or has no such Python, CommandFailed if a package does not
    install.
    """
    if ready(settings):
        return None
    _ask(settings)
    if pulled := _pulled(settings):
        return f"pulled: {pulled[-19:]}"
    chosen = release(settings.application.base_image)
    said = f"Debian's Python {chosen.python} stands in: the registry does not answer"
    if ready(settings):
        return said
    with draft(settings.cache / "images", runner, progress, "making the base image") as work:
        if not ready(settings):
            _make(chosen, _archive(settings), work / "base.tar", runner, progress)
    return said


def _archive(settings: Settings) -> Path:
    return settings.cache / "images" / _fingerprint(settings.application.base_image) / "base.tar"


def _make(chosen: Release, archive: Path, work: Path, runner: Runner, progress: Progress) -> None:
    phase = ""

    def on_line(line: str) -> None:
        nonlocal phase
        if line.startswith("I: ") and line.endswith("..."):
            phase = line.removeprefix("I: ")
            progress(f"base image: {phase.removesuffix('...')}")

    try:
        runner.run(_mmdebstrap(chosen, work), on_line=on_line)
    except CommandFailed as problem:
        if phase not in DOWNLOADING:
            raise
        raise Precondition(
            "the Debian packages of the base image could not be downloaded",
            hint="check with `apt-get update` that this machine reaches its Debian mirror",
            detail=problem.detail,
        ) from None
    archive.parent.mkdir(exist_ok=True)
    archive.with_suffix(".sha256").unlink(missing_ok=True)
    work.replace(archive)


def _mmdebstrap(chosen: Release, target: Path) -> Command:
    content = (f"--include={','.join(chosen.packages)}", *(f"--dpkgopt=path-exclude={each}" for each in LEFT_OUT))
    customize = f'sh {shlex.quote(str(SOURCE / "customize.sh"))} "$1" {chosen.python}'
    hooks = (f"--hook-dir={HOOKS}", f"--customize-hook={customize}")
    # What a mirror of a release that is not out yet signed may be older than it says: a snapshot does not move.
    old = ('--aptopt=Acquire::Check-Valid-Until "false"',) if chosen.moving else ()
    argv = ("mmdebstrap", "--mode=root", "--variant=apt", *old, *content, *hooks, chosen.name, str(target))
    env = {"SOURCE_DATE_EPOCH": str(chosen.epoch), "PATH": SYSTEM_PATH}
    return query(*argv, *_sources(chosen.name), env=env, deadline=DEADLINE, grace=30.0)


# Pushing it to the environment's registry needs BuildKit and the registry as well.


def pushed(settings: Settings, layout: Layout) -> bool:
    """Whether the environment's registry has the stand-in and `pause` as this machine would make them now."""
    wanted = [("pause", PAUSE.fingerprint)]
    if _stands_in(settings):
        if not _made(settings):
            return False
        wanted.append((_name(settings)[0], fingerprint(settings)[:16]))
    return network.reachable(layout) and all(_has(layout, name, tag) for name, tag in wanted)


def push(settings: Settings, layout: Layout, runner: Runner, progress: Progress) -> None:
    """Push the stand-in and `pause` to the environment's registry, also tagged by fingerprint."""
    PAUSE.start(settings, runner, progress)
    pause = PAUSE.path(settings, "pause").parent
    progress("pushing pause")
    runner.run(_import(settings, layout, pause, PAUSE.source, "pause", PAUSE_TAG, PAUSE.fingerprint))
    if _stands_in(settings):
        name, tag = _name(settings)
        progress(f"pushing {settings.application.base_image}")
        archive = _archive(settings).parent
        runner.run(_import(settings, layout, archive, SOURCE, name, tag, fingerprint(settings)[:16]))


def _name(settings: Settings) -> tuple[str, str]:
    name, _, tag = settings.application.base_image.partition("@")[0].rpartition("/")[2].partition(":")
    return f"library/{name}", tag or "latest"


def _import(settings: Settings, layout: Layout, content: Path, dockerfile: Path, name: str, *tags: str) -> Command:
    names = ",".join(f"{layout.registry}/{name}:{tag}" for tag in tags)
    # The registry is on this machine: compressing costs more than it saves.
    options = "push=true,registry.insecure=true,oci-mediatypes=true,compression=uncompressed"
    buildctl = (str(BUILDKIT.path(settings, "buildctl")), f"--addr=unix://{layout.buildkit_socket}")
    source = (f"--local=context={content}", f"--local=dockerfile={dockerfile}")
    env = {"DOCKER_CONFIG": str(layout.docker_config)}
    return query(*buildctl, *source, f'--output=type=image,"name={names}",{options}', env=env, deadline=300.0)


def _has(layout: Layout, name: str, tag: str) -> bool:
    asking = {"Accept": MANIFEST_TYPES} | headers(layout)
    return http_status(layout.registry, f"/v2/{name}/manifests/{tag}", method="HEAD", headers=asking) == 200


def pip_conf(settings: Settings) -> Path | None:
    """Write the pip.conf that a build mounts under the name `pip_conf`; return its path, or None if none is needed."""
    text = render(settings.host)
    if not text:
        return None
    path = settings.cache / "pip.conf"
    write_if_changed(path, text, mode=0o600)
    return path
