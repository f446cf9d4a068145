"""The environment's registry: a process of its own in the node's network, so that images can be pushed before the cluster runs."""

from __future__ import annotations

import http.client

from longshore.command import change
from longshore.local import network, registry_login
from longshore.local.daemon import Daemon
from longshore.local.files import write
from longshore.local.node import files
from longshore.local.packages import SYSTEM_PATH
from longshore.local.place import Place
from longshore.runner import Runner

DEADLINE = 20.0


def daemon(place: Place) -> Daemon:
    """Return the registry as a background process."""
    return Daemon(id=place.id, name="registry", run=place.run, log=place.logs / "registry.log")


def ready(place: Place) -> bool:
    """Whether the registry runs and answers."""
    return daemon(place).alive() and answers(place.registry)


def start(place: Place, runner: Runner) -> None:
    """Start the registry. Raises StepFailed with the end of its log."""
    registry_login.ensure(place)
    config = place.state / "registry.yml"
    if write(config, files.registry(place)):
        daemon(place).stop()
    argv = network.inside(place, "docker-registry", "serve", str(config))
    command = change(*argv, env={"PATH": SYSTEM_PATH, "OTEL_TRACES_EXPORTER": "none"})
    daemon(place).start(runner, command, ready=lambda: answers(place.registry), deadline=DEADLINE)


def answers(address: str) -> bool:
    """Whether a registry answers at ADDRESS."""
    connection = http.client.HTTPConnection(address, timeout=0.5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
