"""The nodes' network namespaces and their links to this machine; nothing else of the machine's network is changed.

The first node's namespace outlives its processes, since the registry is in it. A second node has one of its own, which
ends with its processes as a machine's network does (`node/wire.sh`). What stays is a namespace with a switch, into
which it is plugged, as are this machine and the first node.
"""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Network
from pathlib import Path

from localcloud.layout import Layout
from longshore.errors import Precondition
from longshore.process.command import Command, change, query
from longshore.process.runner import Runner

NEEDED = {12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN"}
IFF_UP = 1  # of an interface's flags
SWITCH = ("ip", "link", "add", "switch", "up", "type", "bridge")
TRUNK = "trunk"  # the first node's interface to the other one, and its end in the switch
WIRE = Path(__file__).parent / "node" / "wire.sh"
OTHERWISE = "use sudo, or name an existing cluster: `context` under [environments.NAME.local] in longshore.toml"


def require_root(status: str | None = None) -> None:
    """Raise Precondition unless this process may create namespaces. STATUS is the text of /proc/self/status."""
    text = status or Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if fields["Uid"].split()[1] != "0":
        raise Precondition("the local cluster needs root, since its node is a set of Linux namespaces", hint=OTHERWISE)
    missing = ", ".join(name for bit, name in NEEDED.items() if not int(fields["CapEff"], 16) >> bit & 1)
    if missing:
        sentence = f"this root user may not create network or mount namespaces (missing: {missing})"
        raise Precondition(sentence, hint=OTHERWISE)


def ready(layout: Layout) -> bool:
    """Whether the namespaces and the links of all nodes exist."""
    return not _missing(layout)


def _missing(layout: Layout) -> tuple[Layout, ...]:
    """Return the first node whose namespace or link is missing, and those after it, which are plugged into it."""
    there = [os.path.ismount(node.net) and _linked(node) for node in layout.nodes]
    return () if all(there) else layout.nodes[there.index(False) :]


def has_link(layout: Layout) -> bool:
    """Whether the node's link exists, be it in part."""
    return Path("/sys/class/net", layout.interface).exists()


def _linked(layout: Layout) -> bool:
    """Whether the node's link is whole: the last thing that `make_link` does is to set it up."""
    try:
        return bool(int(Path("/sys/class/net", layout.interface, "flags").read_text(), 16) & IFF_UP)
    except OSError:
        return False


def reachable(layout: Layout) -> bool:
    """Whether the node's address is one of this machine. Without the link, packets to it take the default route."""
    return layout.existing is not None or _linked(layout)


def inside(layout: Layout, *argv: str) -> tuple[str, ...]:
    """Return ARGV as run in the namespace at `layout.net`; `ip netns exec` would remount /sys and hide the cgroups."""
    return ("nsenter", f"--net={layout.net}", *argv)


def start(layout: Layout, runner: Runner) -> None:
    """Create the namespaces and the links, as far as they are missing.

    Raises Precondition without root, or if another interface has an address in a link's network.
    """
    require_root()
    if ready(layout):
        return
    _refuse_taken(layout, runner)
    for node in _missing(layout):
        if not os.path.ismount(node.net):
            node.run.mkdir(parents=True, exist_ok=True)
            node.net.touch()
            runner.run(change("unshare", f"--net={node.net}", "true"))
        if node.number > 1:  # before the link, which shows that this was done
            runner.run(change(*inside(node, *SWITCH)), check=False)  # a start that was cut off may have left it
            runner.run(change(*inside(layout, "ip", "link", "delete", TRUNK)), check=False)  # an earlier one
            for command in make_trunk(layout, node):
                runner.run(command)
        for command in make_link(node):
            runner.run(command)


def make_link(layout: Layout) -> tuple[Command, ...]:
    """Describe a new link of the node, after the removal of what an interrupted start left."""
    host, node = f"{layout.host_ip}/{layout.own_link.prefixlen}", f"{layout.node_ip}/{layout.own_link.prefixlen}"
    script = f"link set lo up\naddr add {node} dev eth0\nlink set eth0 up\nroute add default via {layout.host_ip}\n"
    link = layout.interface
    return (
        *([change("ip", "link", "delete", link)] if has_link(layout) else []),
        change("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(layout.net)),
        change(*inside(layout, "ip", "-batch", "-"), stdin=script if layout.number == 1 else plugged("eth0")),
        change("ip", "addr", "add", host, "dev", link),
        change("ip", "link", "set", link, "up"),
    )


def plugged(port: str) -> str:
    """Return what `ip -batch` does to have PORT in the switch."""
    return f"link set {port} master switch\nlink set {port} up\n"


def make_trunk(first: Layout, other: Layout) -> tuple[Command, ...]:
    """Describe the way from the FIRST node to the OTHER one and its pods, who see each other's own addresses."""
    script = (
        f"addr add {first.node_ip}/32 dev {TRUNK}\nlink set {TRUNK} up\nroute add {other.node_ip} dev {TRUNK}\n"
        f"route add {other.own_pods} via {other.node_ip} dev {TRUNK}\n"
    )
    away = ("-s", str(first.own_pods), "!", "-d", str(first.pods), "-j", "MASQUERADE")
    return (
        change(*inside(first, "ip", "link", "add", TRUNK, "type", "veth", "peer", TRUNK, "netns", str(other.net))),
        change(*inside(first, "ip", "-batch", "-"), stdin=script),
        change(*inside(first, "iptables", "--wait", "-t", "nat", "-A", "POSTROUTING", *away)),
        change(*inside(other, "ip", "-batch", "-"), stdin=plugged(TRUNK)),
    )


def wired(layout: Layout, *argv: str) -> tuple[str, ...]:
    """Return ARGV as run in the network of a node that is plugged into its switch."""
    first = layout.nodes[0]
    links = (str(layout.net), f"{layout.node_ip}/{layout.own_link.prefixlen}", layout.host_ip)
    return ("sh", str(WIRE), *links, str(layout.own_pods), first.node_ip, str(first.own_pods), str(layout.pods), *argv)


def stop(layout: Layout, runner: Runner) -> None:
    """Remove the links and the namespaces, as far as they exist."""
    for node in layout.possible:
        if has_link(node):
            runner.run(change("ip", "link", "delete", node.interface), check=False)
        while os.path.ismount(node.net):
            runner.run(change("umount", str(node.net)))
        node.net.unlink(missing_ok=True)


def _refuse_taken(layout: Layout, runner: Runner) -> None:
    """Raise Precondition if, since the links were chosen, say a VPN has taken their addresses."""
    interfaces = json.loads(runner.run(query("ip", "-json", "-4", "addr")).stdout or "[]")
    for interface in interfaces:
        for address in interface.get("addr_info", ()):
            network = IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
            for node in layout.nodes:
                if not network.overlaps(node.own_link) or interface["ifname"] == node.interface:
                    continue
                name = layout.environment
                raise Precondition(
                    f"the interface {interface['ifname']} has an address in {node.own_link}, the network of {name}",
                    hint=f"take it down, or choose another network by `invoke local.reset -e {name}`",
                )
