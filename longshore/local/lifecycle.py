"""Stopping an environment so that nothing of it is left on the machine, saying what is up, and forgetting all."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from longshore.errors import Failure, StateUnknown
from longshore.local import aws_daemon, buildkit, edge, network, registry
from longshore.local.build import Progress
from longshore.local.daemon import Daemon, marked
from longshore.local.node import control
from longshore.local.place import Place
from longshore.runner import Runner

CGROUPS = Path("/sys/fs/cgroup")
PATIENCE = 5.0  # seconds that the kernel gets to let go of what ended processes held


def down(place: Place, runner: Runner, progress: Progress) -> None:
    """Stop every part of PLACE, whatever state it is in; its state on the disk is kept.

    Raises StateUnknown, naming what is left, when something does not go away. Nothing of any other environment is touched.
    """
    problems: list[str] = []
    works = stops(place, runner)
    for done, (name, stop) in enumerate(works):
        progress(f"stopping {name}", done, len(works))
        try:
            stop()
        except (Failure, OSError) as problem:  # the others are to be stopped all the same
            problems.append(str(problem))
    until = time.monotonic() + PATIENCE
    while (left := list(remains(place))) and time.monotonic() < until:
        time.sleep(0.05)
        _remove_cgroups(place)
    if left or problems:
        raise StateUnknown(
            f"the {place.environment} environment is not gone altogether: {'; '.join([*left, *problems])}",
            hint="run the same command again; a restart of the machine removes it for certain",
        )
    shutil.rmtree(place.run, ignore_errors=True)


def stops(place: Place, runner: Runner) -> tuple[tuple[str, Callable[[], None]], ...]:
    """Return what has to be stopped, in order: what serves first, what the rest stands on last."""
    return (
        ("the edge", edge.daemon(place).stop),
        ("BuildKit", lambda: buildkit.stop(place)),
        ("Kubernetes", lambda: control.stop(place)),
        ("the registry", registry.daemon(place).stop),
        ("AWS", lambda: aws_daemon.daemon(place).stop(grace=15.0)),  # it writes its state down
        ("what is left", lambda: _kill(marked(place.id))),
        ("the network", lambda: network.stop(place, runner)),
        ("the cgroups", lambda: _remove_cgroups(place)),
    )


def reset(place: Place, runner: Runner, progress: Progress) -> None:
    """Stop PLACE and delete its state: releases, images, AWS, certificates, addresses."""
    down(place, runner, progress)
    progress("deleting the state", None, None)
    if place.state.exists():
        shutil.rmtree(place.state)


def remains(place: Place, mounts: str | None = None) -> Iterator[str]:
    """Yield what of PLACE is still on the machine, state apart. MOUNTS is the text of /proc/self/mounts."""
    for pid in marked(place.id):
        yield f"process {pid}"
    if Path("/sys/class/net", place.interface).exists():
        yield f"interface {place.interface}"
    table = mounts if mounts is not None else Path("/proc/self/mounts").read_text()
    for line in table.splitlines():
        target = Path(line.split()[1].encode().decode("unicode_escape"))
        if target.is_relative_to(place.run) or target.is_relative_to(place.state):
            yield f"mount {target}"
    for start in ("", "*/"):
        for folder in CGROUPS.glob(f"{start}{place.cgroup}*"):  # of pods, of what runs them, of builds
            yield f"cgroup {folder}"


def status(place: Place, _runner: Runner) -> dict[str, Any]:
    """Return, for a person or a program: each part's name, readiness, pid, memory, address; the disk that is used."""
    rows = [_row(daemon, ready, address) for daemon, ready, address in _daemons(place)]
    rows += [
        {
            "name": f"node/{name}",
            "ready": bool(one["ready"]),
            "restarts": one["restarts"],
            "said": _restarts(one),
        }
        for name, one in control.status(place).items()
    ]
    return {
        "environment": place.environment,
        "parts": rows,
        "state": str(place.state),
        "disk_bytes": used(place.state),
        "cache_bytes": used(place.cache),
    }


def used(folder: Path) -> int:
    """Return the bytes on the disk below FOLDER."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue
    return total


def _daemons(place: Place) -> Iterator[tuple[Daemon, bool, str]]:
    if place.existing is None:
        yield control.daemon(place), control.ready(place), place.endpoint
        yield registry.daemon(place), registry.ready(place), f"http://{place.registry}"
    yield aws_daemon.daemon(place), aws_daemon.ready(place), place.aws_endpoint
    yield buildkit.daemon(place), buildkit.ready(place), f"unix://{place.buildkit_socket}"
    yield edge.daemon(place), edge.ready(place), ", ".join(f"127.0.0.1:{port}" for port in edge.ports(place))


def _row(daemon: Daemon, ready: bool, address: str) -> dict[str, Any]:
    pid = daemon.pid()
    memory = sum(_memory(one) for one in family(pid)) if pid else 0
    said = f"pid {pid}, {memory / 1e6:.0f} MB, {address}" if pid else ""
    return {
        "name": daemon.name,
        "ready": ready,
        "pid": pid,
        "memory_bytes": memory,
        "address": address,
        "said": said,
    }


def _restarts(component: dict[str, Any]) -> str:
    count = component["restarts"]
    return f"restarted {count} times, the last time it {component['exit']}" if count else ""


def family(pid: int) -> list[int]:
    """Return PID and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _memory(pid: int) -> int:
    """Return the bytes that PID has for itself; its program's text is shared by several."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def _kill(pids: list[int]) -> None:
    """A command that was killed half-way may have left a process that no pid file knows."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _remove_cgroups(place: Place) -> None:
    buildkit.remove_cgroups(f"{place.cgroup}*", CGROUPS)
