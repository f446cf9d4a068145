"""NetworkPolicies hold on this machine as they do in EKS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import pods
from tests.e2e.pods import NONE, SERVICE, policy
from tests.e2e.project import Project

NAMESPACE = "policies"
SERVER = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)"
PODS = ("web", "friend", "stranger")
INGRESS = """
  ingress:
    # From anywhere: behind a node port every request seems to come from a node, whose addresses change.
    # The nodes' security group lets only the load balancer reach that port.
    - ports:
        - port: http
          protocol: TCP
"""


class Talk:
    """Three pods in a namespace of their own, of which one serves, also as a Service."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        made = [pods.pod(project, name, {"app": name}, *((SERVER, 8000) if name == "web" else ())) for name in PODS]
        self.apply(*made, SERVICE)
        project.admin("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod", "--all", "--timeout=50s")
        address = project.kubectl("get", "-n", NAMESPACE, "pod", "web")["status"]["podIP"]
        service = project.kubectl("get", "-n", NAMESPACE, "service", "web")["spec"]["clusterIP"]
        self.addresses = (f"{address}:8000", f"{service}:80")

    def apply(self, *items: dict[str, Any]) -> None:
        pods.apply(self.project, NAMESPACE, self.folder, *items)

    def until(self, **wanted: str) -> None:
        """Wait until each pod of WANTED is answered so, at the pod's own address and at the Service's."""
        end = time.monotonic() + 30
        while True:
            told = {name: pods.answers(self.project, NAMESPACE, name, *self.addresses) for name in wanted}
            if told == {name: [answer] * 2 for name, answer in wanted.items()}:
                return
            assert time.monotonic() < end, told


@pytest.fixture
def talk(live: Project, tmp_path: Path) -> Iterator[Talk]:
    with pods.namespace(live, NAMESPACE):
        yield Talk(live, tmp_path)


def test_what_a_policy_does_not_allow_gets_no_answer(talk: Talk) -> None:
    talk.until(friend="200", stranger="200")
    allowed = {"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": "http"}]}
    web = {"podSelector": {"matchLabels": {"app": "web"}}}
    talk.apply(
        policy("deny", policyTypes=["Ingress"]), policy("web", policyTypes=["Ingress"], ingress=[allowed], **web)
    )
    talk.until(friend="200", stranger=NONE)
    assert pods.answers(talk.project, NAMESPACE, "web", *talk.addresses[:1]) == ["200"], "itself"
    ready = talk.project.kubectl("get", "-n", NAMESPACE, "pod", "web")["status"]["containerStatuses"][0]["ready"]
    assert ready, "the kubelet's probes are the node's"
    talk.project.admin("delete", "-n", NAMESPACE, "pod", "friend")
    talk.apply(pods.pod(talk.project, "friend", {"app": "friend"}))
    talk.project.admin("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod/friend", "--timeout=50s")
    talk.until(friend="200", stranger=NONE)
    talk.project.admin("delete", "-n", NAMESPACE, "networkpolicy", "--all")
    talk.until(friend="200", stranger="200")


def test_a_pod_sends_nothing_that_no_policy_allows(talk: Talk) -> None:
    sender = {"podSelector": {"matchLabels": {"app": "stranger"}}}
    talk.apply(policy("silent", policyTypes=["Egress"], **sender))
    talk.until(friend="200", stranger=NONE)
    there = {"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 8000, "protocol": "TCP"}]}
    talk.apply(policy("silent", policyTypes=["Egress"], egress=[there], **sender))
    talk.until(friend="200", stranger="200")


def test_a_release_that_nobody_may_reach_is_taken_back(site: Project) -> None:
    """The kubelet's probes reach it all the same, so each of its pods is ready."""
    before = site.version()["digest"]
    site.edit("k8s/base/network-policy.yaml", INGRESS, "\n  ingress: []\n")
    failed = site.ship(**{site.key("VERIFY_DEADLINE"): "15"})
    assert failed.exit_code == 6, failed.out + failed.err
    assert "does not serve the release" in failed.err
    assert site.version()["digest"] == before
