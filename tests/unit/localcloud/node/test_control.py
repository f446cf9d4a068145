"""What has to serve again before a start is over."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.daemon import birth
from localcloud.layout import NODE, Layout
from localcloud.node import control, files
from localcloud.node.control import behind
from localcloud.node.spec import status_file

SINCE = "2026-11-28T10:00:00Z"
Thing = dict[str, Any]


class Cluster:
    """Answers as the API server does."""

    host = "127.0.0.1"

    def __init__(self, *pods: Thing, services: tuple[Thing, ...] = ()) -> None:
        self._lists = {"/api/v1/pods": list(pods), "/api/v1/services": list(services)}

    def get(self, path: str, timeout: float) -> Thing:
        return {"items": self._lists[path]}


class Silent(Cluster):
    """Does not answer."""

    def get(self, path: str, timeout: float) -> Thing:
        raise TimeoutError


def pod(began: str = SINCE, *, ready: str = "True", phase: str = "Running", node: str = NODE) -> Thing:
    containers = [
        {"state": {"running": {"startedAt": began}} if began else {"waiting": {"reason": "CrashLoopBackOff"}}}
    ]
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready}], "containerStatuses": containers}
    return {
        "metadata": {"name": "app-1", "labels": {"app": "app", "hash": "1"}},
        "spec": {"nodeName": node},
        "status": status,
    }


def service(port: int, **selector: str) -> Thing:
    ports = [{"port": 80, "nodePort": port}, {"port": 81}]
    return {"metadata": {"name": "web"}, "spec": {"selector": selector, "ports": ports}}


def waited_for(cluster: Cluster) -> list[str]:
    return list(behind(cluster, SINCE))  # type: ignore[arg-type]


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_pod_that_began_with_this_start_and_is_ready_serves() -> None:
    assert not waited_for(Cluster(pod(), pod("2026-11-28T10:00:07Z")))


@pytest.mark.parametrize(
    "one",
    [pod("2026-11-28T09:59:59Z"), pod(ready="False"), pod("")],
    ids=["reported as before", "not ready", "crashed"],
)
def test_a_pod_that_does_not_serve_yet_is_waited_for(one: Thing) -> None:
    assert waited_for(Cluster(one)) == ["app-1"]


@pytest.mark.parametrize("one", [pod("", phase="Succeeded"), pod("", phase="Failed"), pod("", node="")])
def test_what_will_never_serve_here_is_not_waited_for(one: Thing) -> None:
    assert not waited_for(Cluster(one))


def test_the_way_to_a_pod_is_waited_for_as_well(listening: int, closed: int) -> None:
    assert not waited_for(Cluster(pod(), services=(service(listening, app="app"),)))
    assert waited_for(Cluster(pod(), services=(service(closed, app="app"),))) == ["web"]


def test_a_service_that_nothing_stands_behind_is_not_waited_for(closed: int) -> None:
    assert not waited_for(Cluster(pod(), services=(service(closed, app="other"),)))
    assert not waited_for(Cluster(services=(service(closed, app="app"),)))


def test_each_node_waits_for_its_own_pods_and_its_own_port(listening: int, closed: int) -> None:
    other = pod("", node="local-2")
    assert list(behind(Cluster(other), SINCE, "local-2", "127.0.0.1")) == ["app-1"]  # type: ignore[arg-type]
    assert not waited_for(Cluster(other))
    there = Cluster(pod(node="local-2"), services=(service(listening, app="app"),))
    assert not list(behind(there, SINCE, "local-2", "127.0.0.1"))  # type: ignore[arg-type]
    assert list(behind(there, SINCE, "local-2", "127.0.0.2")) == ["web"], "no port is open there"  # type: ignore[arg-type]


def runs(node: Layout) -> None:
    """Have records as of a NODE that runs: this process stands for its first one."""
    for folder in (node.run, node.config, node.state / "etcd"):
        folder.mkdir(parents=True, exist_ok=True)
    (node.run / f"node{node.suffix}.pid").write_text(json.dumps([os.getpid(), birth(os.getpid()), ""]))
    status_file(node).write_text('{"ready": true}')
    (node.state / "etcd" / "bootstrapped.json").touch()
    (node.config / "webhook.yaml").write_text(files.webhook(node))


def test_just_the_nodes_of_the_settings_have_to_run(layout: Layout, second: Layout) -> None:
    one, two = layout, second.nodes[0]
    runs(layout)
    assert control.ready(one)
    assert not control.ready(two), "the second one is missing"
    runs(second)
    assert control.ready(two)
    assert not control.ready(one), "the second one is to be ended"


def test_no_answer_is_not_taken_for_an_empty_cluster() -> None:
    assert waited_for(Silent())
