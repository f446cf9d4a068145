"""The images that cluster and Dockerfile start from, made on this machine without any registry elsewhere.

The stand-in for the official Python image is Debian's own Python, installed by mmdebstrap from the mirrors
this machine's apt uses. Where apt names no Debian mirror there is none, and a build pulls the official one.
"""

from __future__ import annotations

import hashlib
import http.client
import platform
import shlex
import shutil
import tempfile
from functools import cache
from pathlib import Path

from longshore.command import Command, query
from longshore.errors import CommandFailed, Precondition
from longshore.local import buildkit
from longshore.local.build import Progress, apt_sources
from longshore.local.build.lock import exclusive
from longshore.local.build.pause import PAUSE
from longshore.local.build.pip_settings import BUNDLE, render
from longshore.local.files import write
from longshore.local.packages import SYSTEM_PATH
from longshore.local.place import Place
from longshore.local.registry_login import headers
from longshore.runner import Runner
from longshore.settings import Settings

RELEASE = "bookworm"
EPOCH = 1686355200  # Debian 12's release: no file is younger, so the same packages give the same image
SOURCE = Path(__file__).with_name("build") / "base"
PACKAGES = (
    "usr-is-merged",  # else `usrmerge`, which brings all of Perl
    "python3.11", "python3.11-venv", "python3-minimal", "python3-pip-whl", "python3-setuptools-whl",
    "ca-certificates", "netbase", "media-types",
)  # fmt: skip
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
HOOKS = Path("/usr/share/mmdebstrap/hooks/merged-usr")
PAUSE_TAG = "1"
DEADLINE = 900.0
FETCHING = ("running apt-get update...", "downloading packages with apt...")
MANIFEST_TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"


@cache
def _sources() -> tuple[str, ...]:
    return tuple(source.line for source in apt_sources.mirrors(RELEASE))


@cache
def _fingerprint() -> str:
    made_of = (RELEASE, EPOCH, PACKAGES, LEFT_OUT, _sources(), platform.machine())
    seen = hashlib.sha256(repr(made_of).encode())
    for file in (SOURCE / "customize.sh", SOURCE / "Dockerfile", Path(BUNDLE)):
        seen.update(b"\0" + (file.read_bytes() if file.exists() else b""))
    return seen.hexdigest()[:16]


def fingerprint(settings: Settings) -> str:
    """Return a hash of all that the stand-in is made from; the image's own name where there is none."""
    return _fingerprint() if _sources() else settings.application.base_image


def contexts(settings: Settings, place: Place) -> dict[str, str]:
    """Return what a build has to take instead of the images that the Dockerfile names."""
    image = settings.application.base_image
    return {image: f"{place.registry}/library/{image}"} if _sources() else {}


# The file system of the stand-in: needs the packages alone, so it is made while other parts compile.


def ready(settings: Settings) -> bool:
    """Tell whether the stand-in is in the cache, or none can be made here."""
    return not _sources() or _archive(settings).is_file()


def start(settings: Settings, runner: Runner, progress: Progress) -> None:
    """Make the stand-in's file system.

    Raises Precondition when the mirror cannot be reached, CommandFailed when a package does not install.
    """
    if ready(settings):
        return
    archive = _archive(settings)
    with exclusive(settings.cache / "images" / "lock", runner, progress, "making the base image"):
        if not archive.is_file():
            _make(archive, runner, progress)


def _archive(settings: Settings) -> Path:
    return settings.cache / "images" / _fingerprint() / "base.tar"


def _make(archive: Path, runner: Runner, progress: Progress) -> None:
    for stale in archive.parent.parent.glob(".draft-*"):
        shutil.rmtree(stale, ignore_errors=True)
    phase = ""

    def see(line: str) -> None:
        nonlocal phase
        if line.startswith("I: ") and line.endswith("..."):
            phase = line.removeprefix("I: ")
            progress(f"base image: {phase.removesuffix('...')}", None, None)

    with tempfile.TemporaryDirectory(dir=archive.parent.parent, prefix=".draft-") as draft:
        try:
            runner.run(_mmdebstrap(Path(draft, "base.tar")), on_line=see)
        except CommandFailed as problem:
            if phase not in FETCHING:
                raise
            raise Precondition(
                "Debian's packages for the base image could not be fetched",
                hint="`apt-get update` shows whether this machine reaches its mirror",
                detail=problem.detail,
            ) from None
        archive.parent.mkdir(exist_ok=True)
        Path(draft, "base.tar").replace(archive)


def _mmdebstrap(target: Path) -> Command:
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    return query(
        "mmdebstrap", "--mode=root", "--variant=apt", f"--hook-dir={HOOKS}",
        f"--include={','.join(PACKAGES)}", *options,
        f'--customize-hook=sh {shlex.quote(str(SOURCE / "customize.sh"))} "$1"',
        RELEASE, str(target), *_sources(),
        env={"SOURCE_DATE_EPOCH": str(EPOCH), "PATH": SYSTEM_PATH}, deadline=DEADLINE, grace=30.0,
    )  # fmt: skip


# In the environment's registry: needs BuildKit and the registry as well.


def pushed(settings: Settings, place: Place) -> bool:
    """Tell whether the registry of PLACE has the stand-in and `pause` as this machine would make them now."""
    wanted = [("pause", PAUSE.fingerprint)] + ([(_name(settings)[0], _fingerprint())] if _sources() else [])
    return all(_has(place, name, tag) for name, tag in wanted)


def push(settings: Settings, place: Place, runner: Runner, progress: Progress) -> None:
    """Put the stand-in and `pause` into the registry of PLACE. Both are tagged by fingerprint as well."""
    PAUSE.start(settings, runner, progress)
    pause = PAUSE.path(settings, "pause").parent
    progress("pushing pause", None, None)
    runner.run(_import(settings, place, pause, PAUSE.source, "pause", PAUSE_TAG, PAUSE.fingerprint))
    if _sources():
        name, tag = _name(settings)
        progress(f"pushing {settings.application.base_image}", None, None)
        archive = _archive(settings).parent
        runner.run(_import(settings, place, archive, SOURCE, name, tag, _fingerprint()))


def _name(settings: Settings) -> tuple[str, str]:
    name, _, tag = settings.application.base_image.partition(":")
    return f"library/{name}", tag or "latest"


def _import(
    settings: Settings, place: Place, content: Path, dockerfile: Path, name: str, *tags: str
) -> Command:
    names = ",".join(f"{place.registry}/{name}:{tag}" for tag in tags)
    output = "push=true,registry.insecure=true,oci-mediatypes=true,compression=uncompressed"
    return query(
        str(buildkit.buildctl(settings)), f"--addr=unix://{place.buildkit_socket}",
        f"--local=context={content}", f"--local=dockerfile={dockerfile}",
        # Loopback is fast and a disk is large: packing costs more than it saves.
        f'--output=type=image,"name={names}",{output}',
        env={"DOCKER_CONFIG": str(place.docker_config)}, deadline=300.0,
    )  # fmt: skip


def _has(place: Place, name: str, tag: str) -> bool:
    connection = http.client.HTTPConnection(place.registry, timeout=0.5)
    try:
        connection.request(
            "HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST_TYPES} | headers(place)
        )
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def pip_conf(settings: Settings) -> Path | None:
    """Return a pip.conf for a build's secret `pip_conf`, for its owner's eyes; None where none is needed."""
    text = render(settings.environ)
    path = settings.cache / "pip.conf"
    if not text:
        return None
    write(path, text, mode=0o600)
    return path
