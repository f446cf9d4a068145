"""Stopping an environment without a trace on the machine, its status, and deleting its state."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localcloud import aws_daemon, buildkit, edge, network, registry
from localcloud.buildkit import CGROUPS
from localcloud.daemon import Daemon, marked, send, stat
from localcloud.layout import Layout
from localcloud.node import control
from localcloud.progress import Progress
from longshore.errors import Failure, StateUnknown
from longshore.process.runner import Runner

PATIENCE = 5.0  # seconds for the kernel to release what the ended processes held


def down(layout: Layout, runner: Runner, progress: Progress) -> None:
    """Stop every part of the environment, whatever condition it is in; its state on the disk stays.

    Raises StateUnknown, naming what is left, if something does not go away. No other environment is touched.
    """
    problems: list[str] = []
    actions = stops(layout, runner)
    for done, (text, stop) in enumerate(actions):
        progress(text, done, len(actions))
        try:
            stop()
        except (Failure, OSError) as problem:  # go on with the others
            problems.append(str(problem))
    until = time.monotonic() + PATIENCE
    while (left := list(remains(layout))) and time.monotonic() < until:
        time.sleep(0.05)
        buildkit.remove_cgroups(f"{layout.cgroup}*")
    if left or problems:
        raise StateUnknown(
            f"the environment {layout.environment} did not stop completely: {'; '.join([*left, *problems])}",
            hint="run the same command again; if that does not help, a restart of the machine does",
        )
    shutil.rmtree(layout.run, ignore_errors=True)


def stops(layout: Layout, runner: Runner) -> tuple[tuple[str, Callable[[], None]], ...]:
    """Return progress texts and what stops each part, in order: a part before those it depends on."""
    return (
        ("stopping the edge", layout.daemon("edge").stop),
        ("stopping BuildKit", lambda: buildkit.stop(layout)),
        ("stopping Kubernetes", lambda: control.stop(layout)),
        ("stopping the registry", lambda: registry.stop(layout)),
        ("stopping AWS", lambda: layout.daemon("aws").stop(grace=15.0)),  # it saves its state
        ("ending processes that are left", lambda: _kill(layout)),
        ("removing the network", lambda: network.stop(layout, runner)),
        ("removing the cgroups", lambda: buildkit.remove_cgroups(f"{layout.cgroup}*")),
    )


def reset(layout: Layout, runner: Runner, progress: Progress) -> None:
    """Stop the environment and delete its state: releases, images, AWS, certificates, addresses."""
    down(layout, runner, progress)
    progress("deleting the state")
    if layout.state.exists():
        shutil.rmtree(layout.state)


def remains(layout: Layout, mounts: str | None = None) -> Iterator[str]:
    """Yield what is left of the environment, except its state. MOUNTS is the text of /proc/self/mounts."""
    for pid in marked(layout.id):
        yield f"process {pid}"
    yield from (f"interface {node.interface}" for node in layout.possible if network.has_link(node))
    table = mounts if mounts is not None else Path("/proc/self/mounts").read_text()
    for line in table.splitlines():
        target = Path(line.split()[1].encode().decode("unicode_escape"))
        if target.is_relative_to(layout.run) or target.is_relative_to(layout.state):
            yield f"mount {target}"
    for start in ("", "*/"):
        for folder in CGROUPS.glob(f"{start}{layout.cgroup}*"):  # of pods, of the node, of builds
            yield f"cgroup {folder}"


def status(layout: Layout) -> dict[str, Any]:
    """Return the name, readiness, pid, memory (bytes) and address of each part, and the disk space used (bytes)."""
    rows = [_row(layout.daemon(name), ready, address) for name, ready, address in _daemons(layout)]
    components = [
        (f"node{node.suffix}/{name}", of) for node in layout.nodes for name, of in control.status(node).items()
    ]
    for name, component in components:
        count = component["restarts"]
        note = f"restarted {count} times; the last time it {component['exit']}" if count else ""
        rows.append({"name": name, "ready": bool(component["ready"]), "restarts": count, "said": note})
    space = {"state": str(layout.state), "disk_bytes": used(layout.state), "cache_bytes": used(layout.cache)}
    return {"environment": layout.environment, "parts": rows, **space}


def used(folder: Path) -> int:
    """Return how many bytes of the disk FOLDER takes up."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue
    return total


def _daemons(layout: Layout) -> Iterator[tuple[str, bool, str]]:
    if layout.existing is None:
        for node in layout.nodes:
            yield f"node{node.suffix}", control.runs(node), layout.endpoint if node.number == 1 else node.node_ip
        yield "registry", registry.ready(layout), f"http://{layout.registry}"
    yield "aws", aws_daemon.ready(layout), layout.aws_endpoint
    yield "buildkit", buildkit.ready(layout), f"unix://{layout.buildkit_socket}"
    yield "edge", edge.ready(layout), ", ".join(f"127.0.0.1:{port}" for port in edge.ports(layout))


def _row(daemon: Daemon, ready: bool, address: str) -> dict[str, Any]:
    pid = daemon.pid()
    memory = sum(map(_memory, family(pid))) if pid else 0
    note = f"pid {pid}, {memory / 1e6:.0f} MB, {address}" if pid else ""
    return {"name": daemon.name, "ready": ready, "pid": pid, "memory_bytes": memory, "address": address, "said": note}


def family(pid: int) -> list[int]:
    """Return PID and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if fields := stat(int(entry.name)):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    pids = [pid]
    for parent in pids:
        pids += children.get(parent, [])
    return pids


def _memory(pid: int) -> int:
    """Return how many bytes PID has for itself; the components share one program's code."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def _kill(layout: Layout) -> None:
    """Kill what is left: a command that was killed midway may have left a process without a pid file."""
    for pid in marked(layout.id):
        send(pid, signal.SIGKILL, group=False)
