"""Two nodes in two zones: pods are apart and talk, a node leaves in order or dies, and comes back."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from longshore.settings.rollout import DRAIN
from tests.e2e import pods
from tests.e2e.nodes import healthy, nodes, places, until
from tests.e2e.pods import NONE, SERVICE, policy
from tests.e2e.project import Project, git, make_project
from tests.e2e.traces import traces
from tests.e2e.vegeta import Vegeta

pytestmark = pytest.mark.slow

FIRST, SECOND = "local", "local-2"
NAMESPACE = "nodes"
RATE = 20  # requests per second; so many that are lost show, so few that two slow cores do not lose any
REPLICAS = 3
# Answers with the address that the request came from.
ECHO = """
import http.server
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
http.server.ThreadingHTTPServer(("", 8000), Echo).serve_forever()
"""
SEEN_AS = """
import sys, urllib.request
for address in sys.argv[1:]:
    print(urllib.request.urlopen(f"http://{address}/", timeout=5).read().decode())
"""
# Seconds. Kubernetes waits 50 until a silent node is NotReady; a load balancer's health check fails three times, 15
# apart, and a connection that nobody takes lasts 10.
NOTICED, CHECKED, CONNECTING = 50, 45, 10
EVICTED = 30  # what k8s/base lets a pod stay on a node that is NotReady
GRACE = 60  # for two slow cores
# In the worst case: half the requests while checks fail, and of the other half two thirds until the node is NotReady.
LOST_BY_BALANCER = (CHECKED + CONNECTING) / 2
LOST_BY_SERVICE = (NOTICED + CONNECTING) / 2 * 2 / 3


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project on two nodes, deployed once."""
    project = make_project(tmp_path_factory.mktemp("pair") / "shop", "pair", tmp_path_factory.mktemp("home"))
    port = f"aws_port = {project.aws_port}\n"
    project.edit("longshore.toml", port, f"{port}nodes = 2\n")
    git(project.folder, "commit", "-qam", "Have two nodes")
    try:
        project.deploy("--skip-checks", deadline=1500)
        yield project
    finally:
        project.invoke("local.reset", "-e", project.name, "--confirm", project.name, deadline=120)


@pytest.fixture
def two(pair: Project) -> Iterator[Project]:
    """Both nodes Ready, and pods of the current sources on each."""
    pair.restore()
    pair.invoke("local.up", "-e", pair.name)
    pair.change(f"for a new test at {time.time()}")
    pair.deploy("--skip-checks")
    pair.standing()
    yield pair
    pair.admin("uncordon", SECOND)


def on(node: str, pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "spec": {**pod["spec"], "nodeSelector": {"kubernetes.io/hostname": node}}}


@pytest.fixture
def talk(two: Project, tmp_path: Path) -> Iterator[Project]:
    """In a namespace of its own, a pod that serves on the second node, and one beside it and one away from it."""
    with pods.namespace(two, NAMESPACE):
        made = [
            on(SECOND, pods.pod(two, "web", {"app": "web"}, ECHO, 8000)),
            on(SECOND, pods.pod(two, "beside", {"app": "beside"})),
            on(FIRST, pods.pod(two, "away", {"app": "away"})),
        ]
        pods.apply(two, NAMESPACE, tmp_path, *made, SERVICE)
        two.admin("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod", "--all", "--timeout=50s")
        yield two


def addresses(project: Project) -> tuple[str, str]:
    """Return the addresses of the pod that serves and of its Service."""
    pod = project.kubectl("get", "-n", NAMESPACE, "pod", "web")["status"]["podIP"]
    service = project.kubectl("get", "-n", NAMESPACE, "service", "web")["spec"]["clusterIP"]
    return f"{pod}:8000", f"{service}:80"


def test_replicas_are_on_both_nodes_which_are_in_zones_of_their_own(two: Project) -> None:
    assert set(places(two)) == {FIRST, SECOND}
    labels = {node["metadata"]["name"]: node["metadata"]["labels"] for node in two.kubectl("get", "nodes")["items"]}
    zones = {name: every["topology.kubernetes.io/zone"] for name, every in labels.items()}
    assert zones == {FIRST: "eu-west-1a", SECOND: "eu-west-1b"}
    assert {every["topology.kubernetes.io/region"] for every in labels.values()} == {"eu-west-1"}
    assert {name: every["kubernetes.io/hostname"] for name, every in labels.items()} == {FIRST: FIRST, SECOND: SECOND}


def test_pods_reach_each_other_over_nodes_under_their_own_addresses(talk: Project) -> None:
    for name in ("beside", "away"):
        own = talk.kubectl("get", "-n", NAMESPACE, "pod", name)["status"]["podIP"]
        asked = talk.admin("exec", "-n", NAMESPACE, name, "--", "python", "-c", SEEN_AS, *addresses(talk))
        assert asked.split() == [own, own], f"{name}: by the pod's address and by the Service's"


def test_pods_of_both_nodes_reach_the_local_aws(talk: Project) -> None:
    """And each node the registry, else there were no pods."""
    listed = talk.kubectl("get", "node", FIRST)["status"]["addresses"]
    (node,) = (each["address"] for each in listed if each["type"] == "InternalIP")
    aws = f"{IPv4Address(node) - 1}:{talk.aws_port}"  # this machine's end of the link
    for name in ("beside", "away"):
        assert pods.answers(talk, NAMESPACE, name, aws) != [NONE], name


def test_policies_hold_over_nodes(talk: Project, tmp_path: Path) -> None:
    def answered(**wanted: str) -> None:
        def told() -> bool:
            return all(
                pods.answers(talk, NAMESPACE, name, *addresses(talk)) == [answer] * 2 for name, answer in wanted.items()
            )

        until(told, 30, f"answers {wanted}")

    answered(away="200", beside="200")
    for name, refused in (("away", "beside"), ("beside", "away")):
        allowed = {"from": [{"podSelector": {"matchLabels": {"app": name}}}], "ports": [{"port": "http"}]}
        web = {"podSelector": {"matchLabels": {"app": "web"}}}
        pods.apply(talk, NAMESPACE, tmp_path, policy("web", policyTypes=["Ingress"], ingress=[allowed], **web))
        answered(**{name: "200", refused: NONE})
    talk.admin("delete", "-n", NAMESPACE, "networkpolicy", "--all")
    answered(away="200", beside="200")


@contextmanager
def watched(project: Project) -> Iterator[list[int]]:
    """Note every second how many pods are ready."""
    seen, over = list[int](), threading.Event()

    def look() -> None:
        while not over.wait(1):
            seen.append(len(places(project)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_a_drained_node_loses_no_request_nor_more_pods_than_the_budget_allows(two: Project, tmp_path: Path) -> None:
    assert SECOND in places(two)
    with Vegeta(two, RATE, tmp_path) as vegeta, watched(two) as ready:
        time.sleep(5)
        with two.administering("drain", SECOND, "--ignore-daemonsets", "--delete-emptydir-data") as drain:
            out, err = drain.communicate(timeout=240)
        assert drain.returncode == 0, out + err
        time.sleep(5)
    seen = vegeta.report()
    print({key: seen[key] for key in ("requests", "status_codes", "errors")}, "ready:", ready)
    assert seen["status_codes"] == {"200": seen["requests"]}, seen["errors"]
    assert min(ready) >= REPLICAS - 1, "maxUnavailable is 1"
    until(lambda: places(two) == [FIRST] * REPLICAS, 60, "all pods on the first node")
    two.admin("uncordon", SECOND)
    two.change(f"after a drain at {time.time()}")
    two.deploy("--skip-checks")
    assert set(places(two)) == {FIRST, SECOND}, "where the old pods are does not decide"


def test_a_node_that_dies_costs_what_health_checks_take_to_see_and_a_rollout_meanwhile_does_not_hang(
    two: Project, tmp_path: Path
) -> None:
    until(lambda: healthy(two) == 2, 180, "two healthy targets")
    (during := tmp_path / "during").mkdir()
    (after := tmp_path / "after").mkdir()
    with Vegeta(two, RATE, during) as vegeta:
        time.sleep(5)
        os.kill(two.pid_of("node-2"), signal.SIGKILL)
        began = time.monotonic()
        rolled = two.invoke("rollback", "-e", two.name, "--json", check=False)
        took = time.monotonic() - began
        print(f"rollback: exit code {rolled.exit_code} after {took:.0f} s\n{rolled.err}")
        until(lambda: nodes(two) == {FIRST: True, SECOND: False}, 120, "the second node NotReady")
        until(lambda: healthy(two) == 1, 240, "one healthy target")
    with Vegeta(two, RATE, after) as quiet:
        time.sleep(20)
    lost, later = failed(vegeta.report()), quiet.report()
    print(f"{lost} requests failed, {lost / RATE:.0f} seconds' worth")
    # Half the requests go to the dead node until checks have failed, and of the others some to its pods.
    assert 0 < lost <= RATE * (LOST_BY_BALANCER + LOST_BY_SERVICE)
    assert later["status_codes"] == {"200": later["requests"]}, later["errors"]
    assert rolled.exit_code == 0 or (rolled.exit_code == 6 and SECOND in rolled.err)
    assert took < NOTICED + EVICTED + DRAIN + GRACE, "below the deadline of a rollout"
    until(lambda: places(two) == [FIRST] * REPLICAS, EVICTED + GRACE, "the dead node's pods replaced")

    two.invoke("local.up", "-e", two.name)
    assert nodes(two) == {FIRST: True, SECOND: True}
    assert len(two.standing()) == REPLICAS, "what the dead node still held is gone"
    until(lambda: healthy(two) == 2, 240, "two healthy targets again")


def test_a_release_that_waited_for_a_dead_node_as_long_as_it_may_names_it_and_is_taken_back(two: Project) -> None:
    before = two.version()["digest"]
    two.change("for a node that dies while the image is built")
    argv = [sys.executable, "-m", "invoke", "deploy", "-e", two.name, "--skip-checks", "--json"]
    environ = two.environ | {two.key("PATIENCE__NODE"): "15"}
    with subprocess.Popen(
        argv, cwd=two.folder, env=environ, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as deploy:
        assert deploy.stderr
        said = next(line for line in deploy.stderr if "image: build" in line)
        os.kill(two.pid_of("node-2"), signal.SIGKILL)
        said += deploy.stderr.read()
    print(said)
    assert deploy.returncode == 6, "the last good release serves, which is verified"
    assert re.search(rf"error: .*was given to the node {SECOND}, which has not taken it \(for 1[5-9] s\)", said)
    assert two.version()["digest"] == before
    until(lambda: places(two) == [FIRST] * REPLICAS, EVICTED + GRACE, "the dead node's pods replaced")


def test_a_second_node_goes_and_comes_by_the_settings_and_a_stop_leaves_nothing_of_it(two: Project) -> None:
    digest = two.version()["digest"]
    two.edit("longshore.toml", "\nnodes = 2\n", "\n")
    two.invoke("local.up", "-e", two.name)
    assert nodes(two) == {FIRST: True}
    until(lambda: places(two) == [FIRST] * REPLICAS, 90, "all pods on the only node")
    assert two.version()["digest"] == digest
    assert "node-2" not in two.invoke("local.status", "-e", two.name).out
    two.restore()
    two.invoke("local.up", "-e", two.name)
    assert nodes(two) == {FIRST: True, SECOND: True}
    two.invoke("local.down", "-e", two.name)
    left = traces()
    name = two.state().name
    assert not [each for each in left["interfaces"] if each.startswith(interface(name))]
    assert not [each for what in ("mounts", "cgroups", "sockets") for each in left[what] if name in each]
    two.invoke("local.up", "-e", two.name)
    assert two.version()["digest"] == digest


def interface(name: str) -> str:
    """Return what the names of the environment's interfaces begin with."""
    return f"ls-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def failed(report: dict[str, Any]) -> int:
    """Return how many requests of Vegeta's were not answered with 200."""
    return int(report["requests"]) - int(report["status_codes"].get("200", 0))
