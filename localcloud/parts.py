"""The parts of a local environment: what each needs, whether it is up, how it starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from localcloud import aws_daemon, base_image, buildkit, edge, network, packages, pki, registry
from localcloud.build import toolchain
from localcloud.build.programs import BUILDKIT, KUBERNETES
from localcloud.layout import Layout
from localcloud.node import control
from localcloud.progress import Progress
from longshore.errors import DiskFull, Precondition
from longshore.process.runner import Runner
from longshore.settings.model import Settings

CLUSTER = ("kubernetes-binary", "network", "registry", "node")  # what an existing cluster replaces
LONGEST = 72  # characters of the state folder's name
ROOM = 3 << 30  # bytes that a first start takes up at most, without the compilers' caches


class Part(Struct, frozen=True):
    """One part. `ready` takes milliseconds, changes nothing and never raises; `start` may be called at any time."""

    name: str
    title: str
    needs: tuple[str, ...]  # other parts, or "infra": Terraform has been applied
    ready: Callable[[], bool]
    start: Callable[[Progress], str | None]  # returns a short note on the result, or nothing


class Service(Protocol):
    """A module that starts one part of an environment."""

    def ready(self, layout: Layout, /) -> bool: ...
    def start(self, layout: Layout, runner: Runner, /) -> None: ...


Ready = Callable[[Settings], bool]
Start = Callable[[Settings, Runner, Progress], str | None]


def parts(settings: Settings, layout: Layout, runner: Runner) -> tuple[Part, ...]:
    """Return the parts of an environment in an order in which they can start.

    Raises Precondition if Longshore was installed without the extra `local`.
    """
    if absent := packages.missing_modules():
        raise Precondition(
            f"the local environment needs more Python packages: {', '.join(absent)} cannot be imported",
            hint="`pip install 'longshore[local]'` installs them",
        )
    available = [*_built(settings, runner), *_running(settings, layout, runner)]
    if layout.existing:
        available = [part for part in available if part.name not in CLUSTER]
    names = {"infra", *(part.name for part in available)}
    return tuple(replace(part, needs=tuple(need for need in part.needs if need in names)) for part in available)


def _built(settings: Settings, runner: Runner) -> tuple[Part, ...]:
    """Return the parts that are installed or compiled once per machine."""

    def part(name: str, title: str, ready: Ready, start: Start, *needs: str) -> Part:
        return Part(name, title, needs, lambda: ready(settings), lambda progress: start(settings, runner, progress))

    def toolchain_ready(settings: Settings) -> bool:
        """Whether there is a Go toolchain, or nothing left to compile with it."""
        return (KUBERNETES.ready(settings) and BUILDKIT.ready(settings)) or toolchain.ready(settings)

    return (
        part("packages", "install system packages", packages.ready, packages.start),
        part("toolchain", "find or download a Go toolchain", toolchain_ready, lambda *job: str(toolchain.start(*job))),
        part("kubernetes-binary", f"compile {KUBERNETES.title}", KUBERNETES.ready, KUBERNETES.start, "toolchain"),
        part("buildkit-binary", f"compile {BUILDKIT.title}", BUILDKIT.ready, BUILDKIT.start, "toolchain"),
        part("base-file-system", "make the base image", base_image.ready, base_image.start, "packages"),
    )


def _running(settings: Settings, layout: Layout, runner: Runner) -> tuple[Part, ...]:
    """Return the parts that run for the environment."""

    def part(name: str, title: str, module: Service, *needs: str) -> Part:
        return Part(name, title, needs, lambda: module.ready(layout), lambda _: module.start(layout, runner))

    def start_network(_: Progress) -> None:
        require_room(layout)
        network.start(layout, runner)
        pki.ensure(layout)  # AWS and the node need it, and may start at the same time

    link = (lambda: network.ready(layout) and pki.ready(layout), start_network)

    node = (partial(control.ready, layout), partial(control.start, layout, runner))
    builder = (partial(buildkit.ready, layout), lambda _: buildkit.start(settings, layout, runner))
    images = (partial(base_image.pushed, settings, layout), partial(base_image.push, settings, layout, runner))
    return (
        Part("network", "create the node's network", ("packages",), *link),
        part("registry", "start the registry", registry, "network"),
        Part("node", "start Kubernetes", ("network", "kubernetes-binary", "base-image"), *node),
        part("aws", "start the local AWS", aws_daemon, "network"),
        Part("buildkit", "start BuildKit", ("packages", "buildkit-binary"), *builder),
        Part("base-image", "push the base image", ("buildkit", "base-file-system", "registry"), *images),
        part("edge", "start the edge", edge, "packages", "aws", "infra"),
    )


def require_room(layout: Layout) -> None:
    """Raise DiskFull unless there is room for a first start; an environment that has started before needs no more.

    Raises Precondition if the state folder's name is too long for the sockets that the kubelet creates below it.
    """
    if len(str(layout.state)) + len(layout.nodes[-1].suffix) > LONGEST:
        raise Precondition(
            f"the path {layout.state} is too long: the kernel allows 107 characters for a socket below it",
            hint="set XDG_STATE_HOME to a folder with a shorter path",
        )
    if (layout.state / "etcd").exists():
        return
    layout.state.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(layout.state).free
    if free < ROOM:
        raise DiskFull(
            f"only {free / 1e9:.1f} GB are free for {layout.state}; a local environment needs {ROOM / 1e9:.1f} GB"
        )
