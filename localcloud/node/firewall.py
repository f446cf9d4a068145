"""What NetworkPolicies let through, as rules of iptables: a function of the cluster's objects alone.

The rules are in the table `mangle`, which kube-proxy leaves alone: there, a Service's address has become a pod's
already. What no policy allows gets no answer, as from the VPC CNI.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any, NamedTuple

CHAIN = "POLICIES"
# The mark of a packet that a policy allows. kube-proxy's are 0x4000 and 0x8000.
MARK = "0x100000"
ALLOW, FORGET = f"-j MARK --set-xmark {MARK}/{MARK}", f"-j MARK --set-xmark 0/{MARK}"
# For each direction: where a rule has its peers, and which ends of a packet the pod and a peer are.
DIRECTIONS = {"Ingress": ("from", "-d", "-s"), "Egress": ("to", "-s", "-d")}
ENDED = ("Succeeded", "Failed")

Object = Mapping[str, Any]
Labels = Mapping[str, str]


class Networks(NamedTuple):
    """Whatever comes through a node port comes from `link`; `services` is the range of Services' own addresses."""

    link: str
    services: str


class Pod(NamedTuple):
    """A pod with an address of its own, and the ports of its containers by protocol and name."""

    namespace: str
    labels: Labels
    address: str
    ports: Mapping[tuple[str, str], int]


class Peer(NamedTuple):
    """One that a rule allows: how iptables matches it, and which pod it is, if it is one."""

    match: str
    pod: Pod | None = None


class Firewall:
    """What POLICIES allow PODS, whose NAMESPACES have labels that policies select by."""

    def __init__(
        self, policies: Iterable[Object], pods: Iterable[Object], namespaces: Iterable[Object], networks: Networks
    ) -> None:
        self._policies = sorted(policies, key=lambda policy: str(policy["metadata"]["uid"]))
        self._pods = sorted(filter(None, map(_pod, pods)), key=lambda pod: pod.address)
        self._namespaces: dict[str, Labels] = {
            item["metadata"]["name"]: item["metadata"].get("labels") or {} for item in namespaces
        }
        self._networks = networks

    def chains(self) -> dict[str, list[str]]:
        """Return the rules of each chain by its name. What the node itself sends to its pods passes through none."""
        first = [
            "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            # The address of a Service that has no pod: kube-proxy refuses it at once, which is kinder than silence.
            f"-d {self._networks.services} -j RETURN",
        ]
        chains = {CHAIN: first}
        for direction, (_, own, _) in DIRECTIONS.items():
            for pod in self._pods:
                if isolating := [policy for policy in self._policies if _isolates(policy, direction, pod)]:
                    name = _name(direction, isolating)
                    first.append(f"{own} {pod.address} -j {name}")
                    if name not in chains:
                        chains[name] = list(self._rules(direction, isolating))
        return chains

    def _rules(self, direction: str, policies: Iterable[Object]) -> Iterator[str]:
        """Yield the rules for all pods that exactly these POLICIES isolate in DIRECTION."""
        yield FORGET
        for policy in policies:
            for rule in policy["spec"].get(direction.lower()) or ():
                for match in dict.fromkeys(self._matches(policy, direction, rule)):
                    yield " ".join(f"{match} {ALLOW}".split())
        yield f"-m mark ! --mark {MARK}/{MARK} -j DROP"

    def _matches(self, policy: Object, direction: str, rule: Object) -> Iterator[str]:
        """Yield what iptables has to match for RULE of POLICY."""
        where, own, _ = DIRECTIONS[direction]
        peers = [peer for given in rule.get(where) or [{}] for peer in self._peers(policy, direction, given)]
        selected = [pod for pod in self._pods if _isolates(policy, direction, pod)]
        for port in rule.get("ports") or [{}]:
            if not isinstance(port.get("port"), str):
                yield from (f"{peer.match} {_port(port)}" for peer in peers)
            elif direction == "Ingress":  # a name may stand for another number in each pod
                for pod in selected:
                    if number := pod.ports.get((_protocol(port), port["port"])):
                        yield from (f"{peer.match} {own} {pod.address} {_port(port, number)}" for peer in peers)
            else:
                for peer in [Peer(f"-d {pod.address}", pod) for pod in self._pods] if not rule.get(where) else peers:
                    if number := peer.pod and peer.pod.ports.get((_protocol(port), port["port"])):
                        yield f"{peer.match} {_port(port, number)}"

    def _peers(self, policy: Object, direction: str, peer: Object) -> Iterator[Peer]:
        """Yield what PEER of a rule of POLICY stands for; an empty one for all."""
        end = DIRECTIONS[direction][2]
        if not peer:
            yield Peer("")
        elif block := peer.get("ipBlock"):
            if direction == "Ingress":  # a node's address, which is another one in AWS
                yield Peer(f"{end} {self._networks.link}")
            yield from (Peer(f"{end} {network}") for network in _networks(block))
        else:
            for pod in self._pods:
                if self._selects(peer, pod, policy["metadata"]["namespace"]):
                    yield Peer(f"{end} {pod.address}", pod)

    def _selects(self, peer: Object, pod: Pod, namespace: str) -> bool:
        """Whether PEER, of a policy in NAMESPACE, selects POD."""
        if (wanted := peer.get("namespaceSelector")) is not None:
            there = _fits(wanted, self._namespaces.get(pod.namespace, {}))
        else:
            there = pod.namespace == namespace
        return there and _fits(peer.get("podSelector") or {}, pod.labels)


def restored(chains: Mapping[str, Iterable[str]], former: Iterable[str] = ()) -> str:
    """Return the input of `iptables-restore --noflush` that makes CHAINS of those that were there before, FORMER."""
    gone = [name for name in former if name not in chains]
    lines = [f":{name} - [0:0]" for name in (*chains, *gone)]
    lines += [f"-A {name} {rule}" for name, rules in chains.items() for rule in rules]
    return "\n".join(["*mangle", *lines, *(f"-X {name}" for name in gone), "COMMIT", ""])


def _pod(item: Object) -> Pod | None:
    """Return the pod ITEM, None while it has no address or once it has ended. One of the node's network has none."""
    spec, status, metadata = item["spec"], item.get("status") or {}, item["metadata"]
    if spec.get("hostNetwork") or status.get("phase") in ENDED or not status.get("podIP"):
        return None
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    ports = [port for container in containers for port in container.get("ports") or ()]
    named = {(_protocol(port), port["name"]): port["containerPort"] for port in ports if port.get("name")}
    return Pod(metadata["namespace"], metadata.get("labels") or {}, status["podIP"], named)


def _isolates(policy: Object, direction: str, pod: Pod) -> bool:
    """Whether POLICY is about what POD receives or sends."""
    spec = policy["spec"]
    # The API server fills this in.
    types: Collection[str] = spec.get("policyTypes") or ("Ingress",)
    here = policy["metadata"]["namespace"] == pod.namespace
    return here and direction in types and _fits(spec.get("podSelector") or {}, pod.labels)


def _fits(selector: Object, labels: Labels) -> bool:
    """Whether the label SELECTOR fits LABELS; an empty one fits all."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _holds(expression: Object, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:  # DoesNotExist
            return key not in labels


def _networks(block: Object) -> Iterator[IPv4Network]:
    """Yield the networks of an ipBlock, without those that it excepts. Pods here have no IPv6."""
    if ":" in block["cidr"]:
        return
    left = [IPv4Network(block["cidr"], strict=False)]
    for text in block.get("except") or ():
        hole = IPv4Network(text, strict=False)
        left = [part for network in left for part in _without(network, hole)]
    yield from left


def _without(network: IPv4Network, hole: IPv4Network) -> Iterable[IPv4Network]:
    if hole.subnet_of(network):
        return network.address_exclude(hole)
    return () if network.subnet_of(hole) else (network,)


def _protocol(port: Object) -> str:
    return str(port.get("protocol") or "TCP")


def _port(port: Object, number: int | None = None) -> str:
    """Return how iptables matches PORT of a rule, with the NUMBER that its name stands for; an empty one is any."""
    if not port:
        return ""
    first = number or port.get("port")
    last = f":{port['endPort']}" if port.get("endPort") else ""
    return f"-p {_protocol(port).lower()}" + (f" --dport {first}{last}" if first else "")


def _name(direction: str, policies: Iterable[Object]) -> str:
    """Return the name of a chain, of which the kernel takes 28 characters."""
    uids = " ".join(policy["metadata"]["uid"] for policy in policies)
    return f"{direction.upper()}-{hashlib.sha256(uids.encode()).hexdigest()[:16]}"
