"""The node's network namespace and its link to this machine. Nothing else of the machine's network is touched."""

from __future__ import annotations

import json
import os
from pathlib import Path

from longshore.command import Command, change, query
from longshore.errors import Precondition
from longshore.local.place import Place
from longshore.runner import Runner

NEEDED = {12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN"}
OTHERWISE = "run it with sudo, or name an existing Kubernetes cluster: `context` under [environments.NAME.local] in longshore.toml"


def require_root(status: str | None = None) -> None:
    """Raise Precondition where this process may not make namespaces. STATUS is the text of /proc/self/status."""
    text = status or Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if fields["Uid"].split()[1] != "0":
        raise Precondition(
            "the local cluster needs root: its node is a set of Linux namespaces", hint=OTHERWISE
        )
    missing = [name for bit, name in NEEDED.items() if not int(fields["CapEff"], 16) >> bit & 1]
    if missing:
        raise Precondition(
            f"this root user may not make a network or a mount namespace ({', '.join(missing)})",
            hint=OTHERWISE,
        )


def ready(place: Place) -> bool:
    """Whether namespace and link are there."""
    return os.path.ismount(place.net) and Path("/sys/class/net", place.interface).exists()


def inside(place: Place, *argv: str) -> tuple[str, ...]:
    """Return ARGV as run in the node's network. `ip netns exec` would remount /sys and hide the cgroups."""
    return ("nsenter", f"--net={place.net}", *argv)


def start(place: Place, runner: Runner) -> None:
    """Make what is missing of namespace and link. Raises Precondition without root or when the link's addresses are in use."""
    require_root()
    if ready(place):
        return
    _refuse_taken(place, runner)
    if not os.path.ismount(place.net):
        place.run.mkdir(parents=True, exist_ok=True)
        place.net.touch()
        runner.run(change("unshare", f"--net={place.net}", "true"))
    for command in make_link(place):
        runner.run(command)


def make_link(place: Place) -> tuple[Command, ...]:
    """Describe a new link; whatever an interrupted start left of an older one goes first."""
    host, node = f"{place.host_ip}/{place.link.prefixlen}", f"{place.node_ip}/{place.link.prefixlen}"
    script = (
        f"link set lo up\naddr add {node} dev eth0\nlink set eth0 up\nroute add default via {place.host_ip}\n"
    )
    remove = (
        (change("ip", "link", "delete", place.interface),)
        if Path("/sys/class/net", place.interface).exists()
        else ()
    )
    return (
        *remove,
        change(
            "ip",
            "link",
            "add",
            place.interface,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(place.net),
        ),
        change(*inside(place, "ip", "-batch", "-"), stdin=script),
        change("ip", "addr", "add", host, "dev", place.interface),
        change("ip", "link", "set", place.interface, "up"),
    )


def stop(place: Place, runner: Runner) -> None:
    """Remove link and namespace, or what is left of them."""
    if Path("/sys/class/net", place.interface).exists():
        runner.run(change("ip", "link", "delete", place.interface), check=False)
    while os.path.ismount(place.net):
        runner.run(change("umount", str(place.net)))
    place.net.unlink(missing_ok=True)


def _refuse_taken(place: Place, runner: Runner) -> None:
    """The link was free when it was chosen; a VPN may have come since."""
    from ipaddress import IPv4Network

    shown = json.loads(runner.run(query("ip", "-json", "-4", "addr")).stdout or "[]")
    for interface in shown:
        for address in interface.get("addr_info", ()):
            network = IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
            if network.overlaps(place.link) and interface["ifname"] != place.interface:
                raise Precondition(
                    f"{interface['ifname']} has an address in {place.link}, the network of the {place.environment} environment",
                    hint=f"take that interface down, or `invoke local.reset -e {place.environment}` to choose another network",
                )
