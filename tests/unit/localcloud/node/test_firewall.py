from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from localcloud.node.firewall import CHAIN, Firewall, Networks, restored

NETWORKS = Networks(link="198.19.0.4/30", services="10.96.0.0/16")
ANYWHERE = "203.0.113.9"  # an address of the internet
NODE = "198.19.0.5"  # where requests come from that come through a node port
NAMES = ("shop", "mail", "kube-system")
NAMESPACES = [{"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}} for name in NAMES]
WEB, QUEUE, OTHER, MAIL = "10.88.0.2", "10.88.0.3", "10.88.0.4", "10.88.0.5"


def pod(address: str, namespace: str = "shop", *, port: int = 8000, **labels: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    return {
        "metadata": {"name": address, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main", "ports": ports}]},
        "status": {"podIP": address, "phase": "Running"},
    }


PODS = [pod(WEB, app="web"), pod(QUEUE, app="queue"), pod(OTHER, app="other"), pod(MAIL, "mail", app="web")]


def policy(namespace: str = "shop", name: str = "", **spec: Any) -> dict[str, Any]:
    spec.setdefault("podSelector", {})
    return {"metadata": {"name": name, "namespace": namespace, "uid": name or str(spec)}, "spec": spec}


def chains(*policies: dict[str, Any], pods: Iterable[dict[str, Any]] = PODS) -> dict[str, list[str]]:
    return Firewall(policies, pods, NAMESPACES, NETWORKS).chains()


def passes(
    rules: Mapping[str, list[str]],
    source: str,
    target: str,
    port: int = 8000,
    protocol: str = "tcp",
    *,
    state: str = "",
) -> bool:
    """Do with a packet what the kernel does with it."""
    marked = False

    def through(chain: str) -> bool | None:
        nonlocal marked
        for rule in rules[chain]:
            words, action = rule.split("-j ")[0].split(), rule.split("-j ")[1].split()
            pairs = dict(zip(words[::2], words[1::2], strict=True)) if "!" not in words else {}
            if "!" in words and marked:
                continue
            if "--ctstate" in pairs and state not in pairs["--ctstate"].split(","):
                continue
            if any(
                ip_address(given) not in ip_network(pairs[end])
                for end, given in (("-s", source), ("-d", target))
                if end in pairs
            ):
                continue
            if pairs.get("-p", protocol) != protocol:
                continue
            first, _, last = pairs.get("--dport", str(port)).partition(":")
            if not int(first) <= port <= int(last or first):
                continue
            match action[0]:
                case "RETURN":
                    return None
                case "DROP":
                    return False
                case "MARK":
                    marked = action[2].startswith("0x")
                case name:
                    if through(name) is False:
                        return False
        return None

    return through(CHAIN) is not False


def test_without_policies_every_pod_reaches_every_other_one() -> None:
    assert passes(chains(), WEB, QUEUE)
    assert passes(chains(), WEB, ANYWHERE)


def test_what_no_policy_allows_is_dropped_in_both_directions() -> None:
    rules = chains(policy(policyTypes=["Ingress", "Egress"]))
    assert not passes(rules, WEB, QUEUE)
    assert not passes(rules, MAIL, WEB)
    assert not passes(rules, WEB, ANYWHERE)
    assert not passes(rules, NODE, WEB)
    assert passes(rules, MAIL, ANYWHERE), "another namespace"


def test_answers_pass() -> None:
    rules = chains(policy(policyTypes=["Ingress", "Egress"]))
    assert passes(rules, WEB, QUEUE, state="ESTABLISHED")


def test_a_packet_has_to_be_allowed_at_both_ends() -> None:
    sends = policy(podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Egress"], egress=[{}])
    hears = policy(podSelector={"matchLabels": {"app": "queue"}}, policyTypes=["Ingress"])
    assert not passes(chains(sends, hears), WEB, QUEUE)
    assert passes(chains(sends, policy(**hears["spec"] | {"ingress": [{}]})), WEB, QUEUE)
    silent = policy(podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Egress"])
    assert not passes(chains(silent, policy(**hears["spec"] | {"ingress": [{}]})), WEB, QUEUE)


def test_policies_add_up() -> None:
    deny, allow = (
        policy(policyTypes=["Ingress"]),
        policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}]),
    )
    rules = chains(deny, allow)
    assert passes(rules, WEB, QUEUE)
    assert not passes(rules, MAIL, QUEUE), "its pods alone, not those of other namespaces"


def test_peers_are_selected_by_namespace_and_labels_together() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mail"}}}
    both = peer | {"podSelector": {"matchLabels": {"app": "other"}}}
    assert passes(chains(policy(policyTypes=["Ingress"], ingress=[{"from": [peer]}])), MAIL, WEB)
    assert not passes(chains(policy(policyTypes=["Ingress"], ingress=[{"from": [peer]}])), QUEUE, WEB)
    assert not passes(chains(policy(policyTypes=["Ingress"], ingress=[{"from": [both]}])), MAIL, WEB)


@pytest.mark.parametrize(
    ("expression", "heard"),
    [
        ({"key": "app", "operator": "In", "values": ["queue", "web"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["web"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_select_as_labels_do(expression: dict[str, Any], heard: bool) -> None:
    peer = {"podSelector": {"matchExpressions": [expression]}}
    rules = chains(
        policy(podSelector={"matchLabels": {"app": "queue"}}, policyTypes=["Ingress"], ingress=[{"from": [peer]}])
    )
    assert passes(rules, WEB, QUEUE) is heard


def test_ports_are_by_protocol_number_range_or_name() -> None:
    def heard(port: dict[str, Any], number: int, protocol: str = "tcp") -> bool:
        rules = chains(policy(policyTypes=["Ingress"], ingress=[{"ports": [port]}]))
        return passes(rules, ANYWHERE, WEB, number, protocol)

    assert heard({"port": 8000, "protocol": "TCP"}, 8000)
    assert not heard({"port": 8000, "protocol": "TCP"}, 8001)
    assert not heard({"port": 8000, "protocol": "TCP"}, 8000, "udp")
    assert heard({"port": 8000, "endPort": 8005, "protocol": "TCP"}, 8003)
    assert not heard({"port": 8000, "endPort": 8005, "protocol": "TCP"}, 8006)
    assert heard({"protocol": "UDP"}, 53, "udp")
    assert heard({"port": "http", "protocol": "TCP"}, 8000)
    assert not heard({"port": "http", "protocol": "UDP"}, 8000, "udp")
    assert not heard({"port": "admin", "protocol": "TCP"}, 8000)


def test_a_name_is_the_number_that_the_pod_gives_it_that_is_called() -> None:
    pods = [pod(WEB, app="web", port=8000), pod(QUEUE, app="queue", port=9000)]
    inward = chains(policy(policyTypes=["Ingress"], ingress=[{"ports": [{"port": "http"}]}]), pods=pods)
    assert passes(inward, ANYWHERE, QUEUE, 9000)
    assert not passes(inward, ANYWHERE, QUEUE, 8000)
    for to in ({}, {"to": [{"podSelector": {}}]}):
        outward = chains(policy(policyTypes=["Egress"], egress=[{"ports": [{"port": "http"}], **to}]), pods=pods)
        assert passes(outward, WEB, QUEUE, 9000)
        assert not passes(outward, WEB, QUEUE, 8000)
        assert not passes(outward, WEB, ANYWHERE, 9000)


def test_blocks_leave_out_what_they_except() -> None:
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "203.0.113.0/28"]}}
    rules = chains(policy(policyTypes=["Egress"], egress=[{"to": [block]}]))
    assert passes(rules, WEB, "203.0.113.16")
    assert not passes(rules, WEB, ANYWHERE)
    assert not passes(rules, WEB, "169.254.170.23", 80)
    assert not passes(
        chains(policy(policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "::/0"}}]}])), WEB, ANYWHERE
    )


def test_a_block_lets_in_what_comes_through_a_node_port() -> None:
    """There it comes from a node, whose address is one of the VPC's in AWS."""
    rules = chains(policy(policyTypes=["Ingress"], ingress=[{"from": [{"ipBlock": {"cidr": "10.40.0.0/16"}}]}]))
    assert passes(rules, NODE, WEB)
    assert not passes(rules, QUEUE, WEB)
    assert not passes(chains(policy(policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}])), NODE, WEB)


def test_a_service_without_a_pod_is_left_to_be_refused_at_once() -> None:
    assert passes(chains(policy(policyTypes=["Egress"])), WEB, "10.96.0.10", 53, "udp")


def test_pods_that_have_ended_or_share_the_node_s_network_are_nobody() -> None:
    ended, shares = pod(WEB, app="web"), pod(NODE, app="web")
    ended["status"]["phase"], shares["spec"]["hostNetwork"] = "Succeeded", True
    waits = pod(WEB, app="web")
    del waits["status"]["podIP"]
    assert len(chains(policy(policyTypes=["Ingress", "Egress"]), pods=[ended, shares, waits])[CHAIN]) == 2


def test_pods_of_the_same_policies_share_a_chain() -> None:
    made = chains(policy(policyTypes=["Ingress"]))
    assert len(made) == 2
    assert all(len(name) <= 28 for name in made)


def test_chains_that_are_no_longer_used_are_deleted() -> None:
    before, after = chains(policy(policyTypes=["Ingress"])), chains()
    (old,) = before.keys() - after.keys()
    text = restored(after, before)
    assert f"-X {old}" in text
    assert text.splitlines()[0] == "*mangle"
    assert text.endswith("COMMIT\n")
    assert "-X" not in restored(before, before)
