"""The system packages that the local environment needs, and their installation on a Debian-like system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from longshore.command import Command, change
from longshore.errors import CommandFailed, Precondition
from longshore.local.build import Progress
from longshore.local.build.lock import exclusive
from longshore.runner import Runner
from longshore.settings import Settings

SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"  # a user's may lack the sbins
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Made by Longshore for one installation: no service is to be started.\nexit 101\n"
# Apt reports its progress on descriptor 3, and waits for another apt, such as the nightly upgrade, for five minutes.
OPTIONS = ("-o", "APT::Status-Fd=3", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0")
DEADLINE = 1800.0


@dataclass(frozen=True, kw_only=True)
class Package:
    """A Debian package. Any of `programs` shows that it is there; `unit` is the service that it enables."""

    name: str
    programs: tuple[str, ...]
    why: str
    unit: str = ""

    def installed(self, path: str) -> bool:
        """Tell whether a program of it is in the folders PATH."""
        return any(shutil.which(program, path=path) for program in self.programs)


NEEDED = (
    Package(
        name="containerd", programs=("containerd",), why="runs the cluster's containers", unit="containerd"
    ),
    Package(name="runc", programs=("runc",), why="starts each container, also those that build images"),
    Package(
        name="containernetworking-plugins",
        programs=("/usr/lib/cni/bridge", "/opt/cni/bin/bridge"),
        why="gives pods their network",
    ),
    Package(name="iptables", programs=("iptables",), why="Kubernetes routes services by it"),
    Package(name="conntrack", programs=("conntrack",), why="Kubernetes drops stale connections by it"),
    Package(name="iproute2", programs=("ip",), why="links the cluster's network to this machine"),
    Package(
        name="docker-registry", programs=("docker-registry",), why="keeps images", unit="docker-registry"
    ),
    Package(name="mmdebstrap", programs=("mmdebstrap",), why="makes the base image from Debian packages"),
    Package(
        name="nginx-light", programs=("nginx",), why="serves HTTPS in front of the cluster", unit="nginx"
    ),
)


def missing(settings: Settings) -> tuple[Package, ...]:
    """Return the packages whose programs this machine lacks. Starts no process."""
    path = f"{settings.environ.get('PATH', '')}:{SYSTEM_PATH}"
    return tuple(package for package in NEEDED if not package.installed(path))


def ready(settings: Settings) -> bool:
    """Tell whether nothing is missing."""
    return not missing(settings)


def install_line(packages: tuple[Package, ...]) -> str:
    """Return what a person types to install PACKAGES."""
    names = " ".join(package.name for package in packages)
    return f"apt-get update && apt-get install --yes --no-install-recommends {names}"


def start(settings: Settings, runner: Runner, progress: Progress) -> None:
    """Install what is missing, saying why, without starting any service of the packages.

    Raises Precondition where that is not ours to do (no root, no apt) or the packages cannot be fetched.
    """
    lacking = missing(settings)
    if not lacking:
        return
    if not shutil.which("apt-get", path=SYSTEM_PATH):
        names = ", ".join(f"{package.programs[0]} ({package.why})" for package in lacking)
        raise Precondition(
            f"this machine lacks {names}", hint="install them with the system's package manager"
        )
    if os.geteuid() != 0:
        names = ", ".join(package.name for package in lacking)
        raise Precondition(f"system packages are missing: {names}", hint=f"as root: {install_line(lacking)}")
    for package in lacking:
        progress(f"{package.name}: {package.why}", None, None)
    with exclusive(settings.cache / "packages.lock", runner, progress, "installing system packages"):
        _install(missing(settings), runner, progress)


def _install(packages: tuple[Package, ...], runner: Runner, progress: Progress) -> None:
    names = [package.name for package in packages]
    if not names:
        return
    meter = Meter(progress)
    try:
        with no_services(POLICY):
            runner.run(_apt("dpkg", "--configure", "-a"))  # what a killed installation left half done
            meter.begin("update")
            # One mirror may be down.
            runner.run(_apt("apt-get", *OPTIONS, "update"), on_line=meter.see, check=False)
            meter.begin("install")
            install = ("install", "--yes", "--no-install-recommends", *names)
            runner.run(_apt("apt-get", *OPTIONS, *install), on_line=meter.see)
    except CommandFailed as problem:
        raise Precondition(
            f"system packages could not be installed (exit code {problem.program_exit_code})",
            hint=f"try it by hand: {install_line(packages)}",
            detail=problem.detail,
        ) from None
    _keep_off(packages, runner)


def _apt(*argv: str) -> Command:
    # An installation must not be cut off in the middle: it gets a long time to end what it is at. What dpkg runs gets
    # the status descriptor closed, so that must not be standard output itself.
    env = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    return change("sh", "-c", 'exec "$@" 3>&1', *argv[:1], *argv, env=env, deadline=DEADLINE, grace=60.0)


def _keep_off(packages: tuple[Package, ...], runner: Runner) -> None:
    """Take the new services out of the boot: nginx and the registry would hold ports after a restart."""
    units = [package.unit for package in packages if package.unit]
    if units and Path("/run/systemd/system").is_dir():
        runner.run(change("systemctl", "disable", *units), check=False)


@contextmanager
def no_services(policy: Path) -> Iterator[None]:
    """Have Debian's packages start no service: the script POLICY is asked, and says no.

    A script that is there already belongs to somebody who decided the same or otherwise, and stays as it is.
    """
    # Ours may be left by a killed run.
    if policy.exists() and policy.read_text(errors="replace") != POLICY_TEXT:
        yield
        return
    try:
        policy.write_text(POLICY_TEXT)
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)


class Meter:
    """Turns apt's status lines into progress: the first half is fetching, the second installing."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = ("", -1)

    def begin(self, action: str) -> None:
        """Say what apt is asked for, until it reports by itself."""
        if action == "update":
            self._progress("reading the package lists", None, None)
        else:
            self._progress("fetching packages", 0, 100)

    def see(self, line: str) -> None:
        """Take one line of output; those of form KIND:PACKAGE:PERCENT:TEXT count."""
        kind, _, rest = line.partition(":")
        subject, _, rest = rest.partition(":")
        percent, _, text = rest.partition(":")
        if kind not in ("dlstatus", "pmstatus") or not percent.replace(".", "", 1).isdigit():
            return
        done = round(float(percent)) // 2 + (50 if kind == "pmstatus" else 0)
        text = text.strip() if kind == "dlstatus" else f"{subject}: {text.strip()}"
        if (text, done) != self._last:
            self._last = (text, done)
            self._progress(text, done, 100)
