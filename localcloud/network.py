"""The node's network namespace and its link to this machine; nothing else of the machine's network is changed."""

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
    """Whether the namespace and the link exist."""
    return os.path.ismount(layout.net) and has_link(layout)


def has_link(layout: Layout) -> bool:
    """Whether the link exists."""
    return Path("/sys/class/net", layout.interface).exists()


def reachable(layout: Layout) -> bool:
    """Whether the node's address is one of this machine. Without the link, packets to it take the default route."""
    return layout.existing is not None or has_link(layout)


def inside(layout: Layout, *argv: str) -> tuple[str, ...]:
    """Return ARGV as run in the node's network; `ip netns exec` would remount /sys and hide the cgroups."""
    return ("nsenter", f"--net={layout.net}", *argv)


def start(layout: Layout, runner: Runner) -> None:
    """Create the namespace and the link, as far as they are missing.

    Raises Precondition without root, or if another interface has an address in the link's network.
    """
    require_root()
    if ready(layout):
        return
    _refuse_taken(layout, runner)
    if not os.path.ismount(layout.net):
        layout.run.mkdir(parents=True, exist_ok=True)
        layout.net.touch()
        runner.run(change("unshare", f"--net={layout.net}", "true"))
    for command in make_link(layout):
        runner.run(command)


def make_link(layout: Layout) -> tuple[Command, ...]:
    """Describe a new link, after the removal of what an interrupted start left."""
    host, node = f"{layout.host_ip}/{layout.link.prefixlen}", f"{layout.node_ip}/{layout.link.prefixlen}"
    script = f"link set lo up\naddr add {node} dev eth0\nlink set eth0 up\nroute add default via {layout.host_ip}\n"
    link = layout.interface
    return (
        *([change("ip", "link", "delete", link)] if has_link(layout) else []),
        change("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(layout.net)),
        change(*inside(layout, "ip", "-batch", "-"), stdin=script),
        change("ip", "addr", "add", host, "dev", link),
        change("ip", "link", "set", link, "up"),
    )


def stop(layout: Layout, runner: Runner) -> None:
    """Remove the link and the namespace, as far as they exist."""
    if has_link(layout):
        runner.run(change("ip", "link", "delete", layout.interface), check=False)
    while os.path.ismount(layout.net):
        runner.run(change("umount", str(layout.net)))
    layout.net.unlink(missing_ok=True)


def _refuse_taken(layout: Layout, runner: Runner) -> None:
    """Raise Precondition if, since the link was chosen, say a VPN has taken its addresses."""
    interfaces = json.loads(runner.run(query("ip", "-json", "-4", "addr")).stdout or "[]")
    for interface in interfaces:
        for address in interface.get("addr_info", ()):
            network = IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
            if network.overlaps(layout.link) and interface["ifname"] != layout.interface:
                name = layout.environment
                raise Precondition(
                    f"the interface {interface['ifname']} has an address in {layout.link}, the network of {name}",
                    hint=f"take it down, or choose another network by `invoke local.reset -e {name}`",
                )
