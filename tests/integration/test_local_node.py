"""The node with real Kubernetes: started, killed in part and whole, restarted, beside another, removed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localcloud import lifecycle, network
from localcloud.node import control
from longshore.errors import Failure
from longshore.process.command import change, query
from longshore.rollout.lease import BEAT
from tests.integration.live_node import Live, make, silent

__all__ = ["make"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

COMPONENTS = (
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "network-policies",
)
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: sleeper, namespace: default}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: sleeper}}}}
  template:
    metadata: {{labels: {{app: sleeper}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: sleeper, image: "{registry}/pause:1"}}]
"""
DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


@pytest.fixture(scope="module")
def live(make: Callable[[], Live]) -> Live:
    """An environment that runs two pods."""
    live = make()
    live.start()
    live.kubectl("apply", "--filename=-", stdin=DEPLOYMENT.format(registry=live.layout.registry))
    _until(lambda: live.ready_pods() == 2, 90)
    return live


def test_logs_of_a_pod_reach_the_user(live: Live) -> None:
    # They come from the kubelet by its address and certificate: with a loopback address this fails.
    assert live.kubectl("logs", "deployment/sleeper") == ""


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_killed_component_comes_back_and_pods_run_on(live: Live, name: str) -> None:
    before = control.status(live.layout)[name]["restarts"]
    started = sorted(_started(live))
    os.kill(live.component(name), signal.SIGKILL)
    _until(lambda: control.status(live.layout)[name]["restarts"] == before + 1, 10)
    _until(lambda: control.ready(live.layout), 90)
    _until(lambda: live.ready_pods() == 2, 90)
    assert sorted(_started(live)) == started


def test_network_policies_are_followed_also_past_a_crash_of_the_api_server(live: Live) -> None:
    addresses = {pod["status"]["podIP"] for pod in live.pods()}

    def closed() -> set[str]:
        """Return the pods that may be sent only what is allowed."""
        rules = live.runner.run(
            query(*network.inside(live.layout, "iptables", "-t", "mangle", "-S", "POLICIES"))
        ).stdout
        return set(re.findall(r"-d (\S+)/32 -j INGRESS-", rules))

    assert closed() == set()
    live.kubectl("apply", "--filename=-", stdin=DENY)
    _until(lambda: closed() == addresses, 30)
    killed = ("network-policies", "kube-apiserver")
    before = {name: control.status(live.layout)[name]["restarts"] for name in killed}
    for name in killed:
        os.kill(live.component(name), signal.SIGKILL)

    def back() -> bool:
        """Whether both were started anew: a moment after a kill the node still says that they run."""
        status = control.status(live.layout)
        return control.ready(live.layout) and all(status[name]["restarts"] > before[name] for name in killed)

    _until(back, 90)
    assert closed() == addresses
    live.kubectl("delete", "networkpolicy", "deny")
    _until(lambda: closed() == set(), 30)


def test_pods_have_more_cpu_shares_than_the_node_s_own_processes(live: Live) -> None:
    for name in COMPONENTS:
        held = Path(f"/proc/{live.component(name)}/cgroup").read_text().splitlines()
        assert all(line.endswith(f"/{live.layout.cgroup}-node") for line in held if "name=" not in line)
    counts = [
        int(next(Path("/sys/fs/cgroup").glob(f"{top}{live.layout.cgroup}{end}/{file}")).read_text())
        for top, file in (("", "cpu.weight"), ("cpu/", "cpu.shares"))
        for end in ("", "-node")
        if Path("/sys/fs/cgroup", top, live.layout.cgroup, file).exists()
    ]
    pods, rest = counts
    assert pods == 8 * rest
    assert rest in (50, 512), "half of what any session of this machine has, which may compile or test"


@pytest.mark.slow
def test_the_api_server_answers_beside_sessions_that_take_all_the_machine_s_time(live: Live) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            busy = stack.enter_context(subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True))
            stack.callback(busy.kill)
        for replicas in (12, 2):  # starting and ending pods is most of what the node itself has to do
            live.kubectl("scale", "deployment/sleeper", f"--replicas={replicas}")
            for _ in range(10):
                live.kubectl("get", "leases", "--all-namespaces", f"--request-timeout={BEAT:.0f}s")
    _until(lambda: live.ready_pods() == 2, 90)


def test_a_killed_node_leaves_no_process_and_restarts_with_its_state(live: Live) -> None:
    live.kubectl("create", "configmap", "kept", "--from-literal=written=before the crash")
    processes = live.processes()
    assert len(processes) > len(COMPONENTS)
    os.kill(processes[0], signal.SIGKILL)
    _until(lambda: not [pid for pid in processes if _lives(pid)], 3)
    assert not control.ready(live.layout)
    live.start()
    assert live.ready_pods() == 2
    assert live.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.written}") == "before the crash"


def test_starting_what_runs_changes_nothing(live: Live) -> None:
    pid = live.layout.daemon("node").pid()
    live.start()
    assert live.layout.daemon("node").pid() == pid


def test_a_second_environment_runs_beside_the_first(live: Live, make: Callable[[], Live]) -> None:
    other = make()
    assert not other.layout.link.overlaps(live.layout.link)
    other.start()
    assert other.pods() == []
    lifecycle.down(other.layout, other.runner, silent)
    assert live.ready_pods() == 2


def test_down_leaves_nothing_but_the_state_on_the_machine(live: Live) -> None:
    firewall = live.runner.run(query("iptables-save")).stdout
    assert "KUBE" not in firewall
    live.start()
    lifecycle.down(live.layout, live.runner, silent)
    assert list(lifecycle.remains(live.layout)) == []
    assert not live.layout.run.exists()
    assert live.runner.run(query("iptables-save")).stdout == firewall
    assert str(live.layout.id) not in Path("/proc/mounts").read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/*{live.layout.id}*"))
    lifecycle.down(live.layout, live.runner, silent)  # twice is fine
    live.start()
    assert live.ready_pods() == 2


def test_down_after_a_half_made_start(make: Callable[[], Live]) -> None:
    half = make()
    network.start(half.layout, half.runner)
    half.runner.run(query("ip", "link", "delete", half.layout.interface))
    lifecycle.down(half.layout, half.runner, silent)
    assert list(lifecycle.remains(half.layout)) == []


@pytest.mark.parametrize("done", range(5))
def test_a_link_that_was_cut_off_in_the_making_is_made_anew(make: Callable[[], Live], done: int) -> None:
    half = make()
    layout, runner = half.layout, half.runner
    network.start(layout, runner)
    try:
        runner.run(change("ip", "link", "delete", layout.interface))
        for command in network.make_link(layout)[:done]:
            runner.run(command)
        assert network.ready(layout) == network.reachable(layout) == (done == 4)
        network.start(layout, runner)
        assert network.ready(layout)
        with pytest.raises(ConnectionRefusedError):  # by the node: nothing listens there
            socket.create_connection((layout.node_ip, 9), timeout=5)
    finally:
        network.stop(layout, runner)


def _started(live: Live) -> list[str]:
    statuses = [status for pod in live.pods() for status in pod["status"]["containerStatuses"]]
    return [status["state"]["running"]["startedAt"] for status in statuses]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (KeyError, Failure):
            pass  # the API server does not answer for a moment
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
