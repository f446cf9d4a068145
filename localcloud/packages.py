"""The packages that the local environment needs, and how Debian's are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from localcloud.progress import Progress, exclusive
from longshore.errors import CommandFailed, Precondition, ToolMissing
from longshore.process.command import Command, change
from longshore.process.runner import Runner
from longshore.settings.model import Settings

SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"  # a user's may lack the sbins
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Made by Longshore for one installation: no service is to be started.\nexit 101\n"
# apt reports its progress on descriptor 3, and waits up to five minutes for another apt, such as a nightly upgrade.
OPTIONS = ("-o", "APT::Status-Fd=3", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0")
INTERRUPTED = "dpkg was interrupted"  # as apt says it
DEADLINE = 1800.0
EXTRA = ("bcrypt", "flask", "flask_cors", "moto", "werkzeug")  # the modules of pyproject.toml's extra `local`


class Package(Struct, frozen=True):
    """A Debian package, installed if any of `programs` is found; `unit` is the service that it enables."""

    name: str
    programs: tuple[str, ...]
    why: str
    unit: str = ""

    def installed(self, path: str) -> bool:
        """Whether one of its programs is in the folders PATH ("A:B")."""
        return any(shutil.which(program, path=path) for program in self.programs)


NEEDED = (
    Package("containerd", ("containerd",), "runs the cluster's containers", unit="containerd"),
    Package("runc", ("runc",), "starts each container, of pods and of image builds"),
    Package("containernetworking-plugins", ("/usr/lib/cni/bridge", "/opt/cni/bin/bridge"), "gives pods their network"),
    Package("iptables", ("iptables",), "routes the traffic of Kubernetes services"),
    Package("conntrack", ("conntrack",), "lets Kubernetes drop stale connections"),
    Package("iproute2", ("ip",), "connects the cluster's network to this machine"),
    Package("docker-registry", ("docker-registry",), "stores images", unit="docker-registry"),
    Package("mmdebstrap", ("mmdebstrap",), "makes the base image from Debian packages"),
    Package("nginx-light", ("nginx",), "serves HTTPS in front of the cluster", unit="nginx"),
)


def missing_modules() -> list[str]:
    """Return the Python modules that this installation lacks: those of the extra `local`, if it was left out."""
    return [name for name in EXTRA if importlib.util.find_spec(name) is None]


def missing(settings: Settings) -> tuple[Package, ...]:
    """Return the packages that this machine lacks. Starts no process."""
    path = f"{settings.host.path}:{SYSTEM_PATH}"
    return tuple(package for package in NEEDED if not package.installed(path))


def program(name: str) -> str:
    """Return the path of the program NAME of a package. Raises ToolMissing without it."""
    if path := shutil.which(name, path=SYSTEM_PATH):
        return path
    raise ToolMissing(f"{name} is not installed")


def ready(settings: Settings) -> bool:
    """Whether nothing is missing."""
    return not missing(settings)


def install_line(packages: tuple[Package, ...]) -> str:
    """Return the command line that installs PACKAGES."""
    names = " ".join(package.name for package in packages)
    return f"apt-get update && apt-get install --yes --no-install-recommends {names}"


def start(settings: Settings, runner: Runner, progress: Progress) -> None:
    """Install what is missing without starting any of its services.

    Raises Precondition without root or apt, or if a package cannot be installed.
    """
    lacking = missing(settings)
    if not lacking:
        return
    if not shutil.which("apt-get", path=SYSTEM_PATH):
        names = ", ".join(f"{package.programs[0]} ({package.why})" for package in lacking)
        hint = "install them with the system's package manager"
        raise Precondition(f"these programs are missing: {names}", hint=hint)
    if os.geteuid() != 0:
        names = ", ".join(package.name for package in lacking)
        raise Precondition(f"system packages are missing: {names}", hint=f"run as root: {install_line(lacking)}")
    for package in lacking:
        progress(f"{package.name}: {package.why}")
    with exclusive(settings.cache / "packages.lock", runner, progress, "installing system packages"):
        _install(missing(settings), runner, progress)


def _install(packages: tuple[Package, ...], runner: Runner, progress: Progress) -> None:
    names = [package.name for package in packages]
    if not names:
        return
    meter = Meter(progress)
    try:
        with no_services(POLICY):
            progress("reading the package lists")
            # It fails if any one mirror is down.
            runner.run(_apt("apt-get", *OPTIONS, "update"), on_line=meter.see, check=False)
            progress("downloading packages", 0, 100)
            install(names, lambda command: runner.run(command, on_line=meter.see))
    except CommandFailed as problem:
        raise Precondition(
            f"system packages could not be installed (exit code {problem.program_exit_code})",
            hint=f"try it yourself: {install_line(packages)}",
            detail=problem.detail,
        ) from None
    units = [package.unit for package in packages if package.unit]
    if units and Path("/run/systemd/system").is_dir():  # at boot, nginx and the registry would take ports
        runner.run(change("systemctl", "disable", *units), check=False)


def install(names: list[str], run: Callable[[Command], object]) -> None:
    """RUN the installation of the packages NAMES, after what a killed one left, if there was one.

    dpkg itself does not wait for another installation, so it runs only where apt asks for it. Raises CommandFailed.
    """
    command = _apt("apt-get", *OPTIONS, "install", "--yes", "--no-install-recommends", *names)
    try:
        run(command)
    except CommandFailed as problem:
        if INTERRUPTED not in problem.detail:
            raise
        run(_apt("dpkg", "--configure", "-a"))
        run(command)


def _apt(*argv: str) -> Command:
    # An interrupted installation leaves the system half configured, so the grace period is long. dpkg closes the status
    # descriptor for what it runs, so that cannot be standard output itself.
    env = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    return change("sh", "-c", 'exec "$@" 3>&1', *argv[:1], *argv, env=env, deadline=DEADLINE, grace=60.0)


@contextmanager
def no_services(policy: Path) -> Iterator[None]:
    """Keep Debian's packages from starting services by the script POLICY, which they consult.

    A script that somebody else put there stays as it is; our own may be left from a killed run.
    """
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
    """Turns apt's status lines into progress: the first half is downloading, the second installing."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._last = progress, ("", -1)

    def see(self, line: str) -> None:
        """Read a line of output; those of the form KIND:PACKAGE:PERCENT:TEXT are progress."""
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
