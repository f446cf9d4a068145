"""The environment's image registry, in the node's network but not in the node, so that it serves before the node.

The registry itself listens on a socket. In front of it nginx does what ECR does for a repository with immutable tags:
it refuses to push a tag that exists, whatever is pushed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from localcloud import confined, network, registry_login
from localcloud.edge import PIECES, Template
from localcloud.layout import Layout
from localcloud.node import files
from localcloud.packages import SYSTEM_PATH
from localcloud.ports import http_status
from longshore.files import write_if_changed
from longshore.process.command import change
from longshore.process.runner import Runner

DEADLINE = 60.0  # seconds; below 1 on an idle machine, but on a first start gates and Terraform run beside it


def ready(layout: Layout) -> bool:
    """Whether the registry runs and answers."""
    return all(confined.alive(layout, "registry", name) for name in ("registry", "ecr")) and answers(layout.registry)


def start(layout: Layout, runner: Runner) -> None:
    """Start the registry in the node's network. Raises StepFailed with the end of its log."""
    serve(layout, runner, *network.inside(layout))


def serve(layout: Layout, runner: Runner, *inside: str) -> None:
    """Start the registry and what stands in front of it, as programs that INSIDE starts. Raises like `start`."""
    registry_login.ensure(layout)
    registry, front, socket = layout.daemon("registry"), layout.daemon("ecr"), files.registry_socket(layout)
    socket.parent.mkdir(parents=True, exist_ok=True)
    if write_if_changed(config := layout.state / "registry.yml", files.registry(layout)):
        registry.stop()
    if not registry.alive():
        socket.unlink(missing_ok=True)  # a killed one leaves it
    if not front.alive():
        shutil.rmtree(readers(layout), ignore_errors=True)  # as does who let others read
    _hand_over(layout)
    argv = _confined(layout, "docker-registry", "serve", str(config))
    command = change(*inside, *argv, env={"PATH": SYSTEM_PATH, "OTEL_TRACES_EXPORTER": "none"})
    registry.start(runner, command, ready=socket.is_socket, deadline=DEADLINE)
    if write_if_changed(config := layout.state / "ecr.conf", configuration(layout)):
        front.stop()
    argv = _confined(layout, "nginx", "-e", "stderr", "-p", str(layout.run), "-c", str(config))
    command = change(*inside, *argv, env={"PATH": SYSTEM_PATH})
    front.start(runner, command, ready=lambda: answers(layout.registry), deadline=DEADLINE)


def readers(layout: Layout) -> Path:
    """Return the folder with what lets others read, for the time being."""
    return layout.state / "readers"


def _hand_over(layout: Layout) -> None:
    """Give both, which are one user, the images and the folder with their socket."""
    confined.passable(layout)
    confined.own(layout, "registry", registry_login.hashed(layout))
    for path in (layout.state / "registry", files.registry_socket(layout).parent):
        confined.folder(layout, "registry", path)


def _confined(layout: Layout, *program: str) -> tuple[str, ...]:
    return confined.argv(layout, "registry", program, (layout.state, layout.run))


def stop(layout: Layout) -> None:
    """Stop both."""
    layout.daemon("ecr").stop()
    layout.daemon("registry").stop()


def configuration(layout: Layout) -> str:
    """Return nginx's configuration, which sees in the registry's files whether a tag exists."""
    places = {
        "address": layout.registry,
        "socket": files.registry_socket(layout),
        "run": layout.run,
        "readers": readers(layout),
    }
    tags = layout.state / "registry" / "docker" / "registry" / "v2" / "repositories"
    return Template((PIECES / "registry.conf").read_text(encoding="utf-8")).substitute(places, tags=tags)


def answers(address: str) -> bool:
    """Whether a registry answers at ADDRESS."""
    return http_status(address, "/v2/") in (200, 401)
