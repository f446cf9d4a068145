"""The BuildKit daemon of an environment, which builds images and pushes them to the environment's registry.

It has a mount and a pid namespace of its own: ending its first process leaves no mount and no process behind.
Its network is this machine's, since builds download packages.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from localcloud.build.programs import BUILDKIT
from localcloud.layout import Layout
from localcloud.packages import SYSTEM_PATH, program
from longshore.errors import StepFailed
from longshore.files import write_if_changed
from longshore.process.command import change
from longshore.process.runner import Runner
from longshore.settings.model import Settings

CGROUPS = Path("/sys/fs/cgroup")
DEADLINE = 60.0  # seconds; below 1 on an idle machine, but on a first start gates and Terraform run beside it
EMPTYING = 3.0  # seconds for what was killed in a cgroup to be gone
CONFIG = Path(__file__).with_suffix(".toml")


def ready(layout: Layout) -> bool:
    """Whether the daemon runs and answers."""
    return layout.daemon("buildkit").alive() and _listens(layout.buildkit_socket)


def start(settings: Settings, layout: Layout, runner: Runner) -> None:
    """Start the daemon. Raises StepFailed, with the end of its log, if that fails."""
    daemon, config = layout.daemon("buildkit"), layout.state / "buildkit.toml"
    if write_if_changed(config, configuration(layout)):
        daemon.stop()
    unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
    command = change(*unshare, str(BUILDKIT.path(settings, "buildkitd")), str(config), env={"PATH": SYSTEM_PATH})
    daemon.start(runner, command, ready=lambda: _listens(layout.buildkit_socket), deadline=DEADLINE)


def stop(layout: Layout) -> None:
    """End the daemon, if there is one, and its builds with all that they hold."""
    layout.daemon("buildkit").stop(grace=1.0)  # it would wait for running builds; its databases survive SIGKILL
    layout.buildkit_socket.unlink(missing_ok=True)
    remove_cgroups(cgroup(layout))


def configuration(layout: Layout) -> str:
    """Return the daemon's settings file. Raises ToolMissing without runc."""
    return CONFIG.read_text().format(layout=layout, runc=program("runc"), cgroup=cgroup(layout))


def cgroup(layout: Layout) -> str:
    """Return the cgroup, below the root of every hierarchy, that holds running builds."""
    return f"{layout.cgroup}-build"


def remove_cgroups(name: str) -> None:
    """Remove all cgroups that match the pattern NAME. Raises StepFailed if one still has processes after a while."""
    until = time.monotonic() + EMPTYING
    while left := [top for top in (*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")) if not _removed(top)]:
        if time.monotonic() > until:
            raise StepFailed(f"the cgroup {left[0]} still holds processes", hint=f"{left[0]}/cgroup.procs lists them")
        time.sleep(0.02)


def _removed(top: Path) -> bool:
    try:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()
    except OSError:
        return False
    return True


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
