"""The BuildKit daemon of an environment: images are built by it and pushed to the environment's registry.

It has mounts and processes of its own, seen by nobody else: ending its first process leaves neither behind.
Its network is this machine's, since builds fetch packages.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

from longshore.command import Command, change
from longshore.errors import Precondition, StepFailed
from longshore.local.build import Progress
from longshore.local.build.buildkit import buildctl, buildkitd
from longshore.local.daemon import Daemon
from longshore.local.files import write
from longshore.local.packages import SYSTEM_PATH
from longshore.local.place import Place
from longshore.runner import Runner
from longshore.settings import Settings

__all__ = ["buildctl", "buildkitd", "cgroup", "daemon", "ready", "start", "stop"]

CGROUPS = Path("/sys/fs/cgroup")
DEADLINE = 20.0
EMPTYING = 3.0  # seconds

CONFIG = Path(__file__).with_suffix(".toml")


def daemon(place: Place) -> Daemon:
    """Return BuildKit as a background process."""
    return Daemon(id=place.id, name="buildkit", run=place.run, log=place.logs / "buildkit.log")


def ready(place: Place) -> bool:
    """Tell whether the daemon of PLACE lives and answers."""
    return daemon(place).alive() and _listens(place.buildkit_socket)


def start(settings: Settings, place: Place, runner: Runner, progress: Progress) -> None:
    """Start the daemon of PLACE. Raises StepFailed, with the end of its log, when it does not come up."""
    progress("starting BuildKit", None, None)
    config = place.state / "buildkit.toml"
    if write(config, configuration(place)):
        daemon(place).stop()
    command = _command(settings, config)
    daemon(place).start(runner, command, ready=lambda: _listens(place.buildkit_socket), deadline=DEADLINE)


def stop(place: Place) -> None:
    """End the daemon, its builds and all that they hold. Fine if there is none."""
    daemon(place).stop(grace=1.0)  # it would wait for running builds; its databases survive a kill
    place.buildkit_socket.unlink(missing_ok=True)
    remove_cgroups(cgroup(place))


def configuration(place: Place) -> str:
    """Return the daemon's settings."""
    runc = shutil.which("runc", path=SYSTEM_PATH)
    if runc is None:
        raise Precondition(
            "runc is not installed", hint="`invoke doctor` lists what is missing and how to get it"
        )
    return CONFIG.read_text().format(
        root=place.state / "buildkit", socket=place.buildkit_socket, runc=runc,
        cgroup=cgroup(place), registry=place.registry,
    )  # fmt: skip


def cgroup(place: Place) -> str:
    """Return the cgroup, below the root of every hierarchy, that holds running builds."""
    return f"{place.cgroup}-build"


def remove_cgroups(name: str, root: Path = CGROUPS) -> None:
    """Remove the cgroups that the pattern NAME fits, with all below them, from every hierarchy under ROOT.

    What was killed in them may take a moment to be gone.
    """
    until = time.monotonic() + EMPTYING
    while left := [top for top in (*root.glob(name), *root.glob(f"*/{name}")) if not _removed(top)]:
        if time.monotonic() > until:
            raise StepFailed(
                f"the cgroup {left[0]} still holds processes", hint=f"see {left[0]}/cgroup.procs"
            )
        time.sleep(0.02)


def _removed(top: Path) -> bool:
    try:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()
    except OSError:
        return False
    return True


def _command(settings: Settings, config: Path) -> Command:
    return change(
        "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
        str(buildkitd(settings)), str(config),
        env={"PATH": SYSTEM_PATH},
    )  # fmt: skip


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
