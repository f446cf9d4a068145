"""The parts that an environment on this machine is made of: what each needs, whether it is up, how it starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

from longshore.errors import DiskFull, Precondition
from longshore.local import aws_daemon, edge, network, packages, pki, registry
from longshore.local.build import Progress
from longshore.local.node import control
from longshore.local.place import Place
from longshore.runner import Runner
from longshore.settings import Environment, Settings

CLUSTER = ("kubernetes-binary", "network", "registry", "node")  # what an existing cluster replaces
LONGEST = 72  # characters of the state folder's name
ROOM = 3 << 30  # bytes that a first start takes up at most, beside the compilers' caches


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part. `ready` takes milliseconds, changes nothing and never raises; `start` may be called at any time."""

    name: str
    title: str
    needs: tuple[str, ...]  # other parts, or "infra": Terraform has been applied
    ready: Callable[[], bool]
    start: Callable[[Progress], None]


Ready = Callable[[Settings], bool]
Start = Callable[[Settings, Runner, Progress], object]


def parts(settings: Settings, environment: Environment, runner: Runner) -> tuple[Part, ...]:
    """Return the parts of ENVIRONMENT in an order in which they can start."""
    place = Place.of(settings, environment)
    made = [
        *_built(settings, runner),
        *_cluster(place, runner),
        *_services(settings, place, runner),
    ]
    if place.existing:  # brings what these are for
        made = [part for part in made if part.name not in CLUSTER]
    names = {"infra", *(part.name for part in made)}
    return tuple(replace(part, needs=tuple(need for need in part.needs if need in names)) for part in made)


def _built(settings: Settings, runner: Runner) -> tuple[Part, ...]:
    from longshore.local import base_image
    from longshore.local.build import buildkit, kubernetes, toolchain

    def part(name: str, title: str, ready: Ready, start: Start, *needs: str) -> Part:
        def run(progress: Progress) -> None:
            start(settings, runner, progress)

        return Part(name=name, title=title, needs=needs, ready=lambda: ready(settings), start=run)

    def compiler_idle(settings: Settings) -> bool:
        """Go is not needed again once all is compiled."""
        return (kubernetes.ready(settings) and buildkit.ready(settings)) or toolchain.ready(settings)

    return (
        part("packages", "install system packages", packages.ready, packages.start),
        part("toolchain", "find or fetch a Go toolchain", compiler_idle, toolchain.start),
        part(
            "kubernetes-binary",
            f"compile Kubernetes {kubernetes.VERSION}",
            kubernetes.ready,
            kubernetes.start,
            "toolchain",
        ),
        part(
            "buildkit-binary",
            f"compile BuildKit {buildkit.VERSION}",
            buildkit.ready,
            buildkit.start,
            "toolchain",
        ),
        part("base-file-system", "make the base image", base_image.ready, base_image.start, "packages"),
    )


def _cluster(place: Place, runner: Runner) -> tuple[Part, ...]:
    def start_network(progress: Progress) -> None:
        require_room(place)
        progress("making a network namespace", None, None)
        network.start(place, runner)
        pki.ensure(place)

    def start_registry(progress: Progress) -> None:
        progress("starting the registry", None, None)
        registry.start(place, runner)

    return (
        Part(
            name="network", title="make the node's network", needs=("packages",),
            ready=lambda: network.ready(place) and pki.ready(place), start=start_network,
        ),
        Part(
            name="registry", title="start the registry", needs=("network",),
            ready=lambda: registry.ready(place), start=start_registry,
        ),
        Part(
            name="node", title="start Kubernetes", needs=("network", "kubernetes-binary", "base-image"),
            ready=lambda: control.ready(place), start=lambda progress: control.start(place, runner, progress),
        ),
    )  # fmt: skip


def _services(settings: Settings, place: Place, runner: Runner) -> tuple[Part, ...]:
    from longshore.local import base_image, buildkit

    def start_aws(progress: Progress) -> None:
        progress("starting the local AWS", None, None)
        aws_daemon.start(place, runner)

    def start_edge(progress: Progress) -> None:
        progress("starting the edge", None, None)
        edge.start(place, runner)

    return (
        Part(name="aws", title="start AWS", needs=("network",), ready=lambda: aws_daemon.ready(place), start=start_aws),
        Part(
            name="buildkit", title="start BuildKit", needs=("packages", "buildkit-binary"),
            ready=lambda: buildkit.ready(place), start=lambda progress: buildkit.start(settings, place, runner, progress),
        ),
        Part(
            name="base-image", title="push the base image", needs=("buildkit", "base-file-system", "registry"),
            ready=lambda: base_image.pushed(settings, place),
            start=lambda progress: base_image.push(settings, place, runner, progress),
        ),
        Part(
            name="edge", title="start the edge", needs=("packages", "aws", "infra"),
            ready=lambda: edge.ready(place), start=start_edge,
        ),
    )  # fmt: skip


def require_room(place: Place) -> None:
    """Raise DiskFull unless the environment has room to start in. One that has started before only needs to run on.

    Raises Precondition for a folder whose name is too long for the sockets that the kubelet makes below it.
    """
    if len(str(place.state)) > LONGEST:
        raise Precondition(
            f"the name of {place.state} is too long: the kernel allows a socket 107 characters",
            hint="XDG_STATE_HOME names a shorter folder to keep environments in",
        )
    if (place.state / "etcd").exists():
        return
    place.state.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.state).free
    if free < ROOM:
        raise DiskFull(
            f"only {free / 1e9:.1f} GB are free where {place.state} is; the local environment needs {ROOM / 1e9:.1f}"
        )
