from __future__ import annotations

from localcloud import network
from localcloud.layout import Layout
from localcloud.node import control
from longshore.errors import Precondition

STATUS = "Name:\tpython\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities}\n"


def refusal(uid: int, capabilities: str) -> str:
    """The sentence and hint that refuse such a process; empty if it may create namespaces."""
    try:
        network.require_root(STATUS.format(uid=uid, capabilities=capabilities))
    except Precondition as problem:
        return f"{problem.sentence}; {problem.hint}"
    return ""


def test_a_plain_user_is_told_what_to_do() -> None:
    refused = refusal(1000, "000001ffffffffff")
    assert "needs root" in refused
    assert "context" in refused


def test_a_root_user_without_the_right_capabilities_is_told_which() -> None:
    assert "missing: CAP_SYS_ADMIN" in refusal(0, "00000000a80435fb")


def test_root_needs_no_capability_but_these_two() -> None:
    needed = sum(1 << bit for bit in network.NEEDED)
    assert refusal(0, f"{needed:016x}") == ""
    for bit, name in network.NEEDED.items():
        assert f"missing: {name})" in refusal(0, f"{needed & ~(1 << bit):016x}")


def test_the_link_names_the_namespace_s_file_and_touches_one_interface(layout: Layout) -> None:
    add, inside, address, up = network.make_link(layout)
    name = layout.interface
    assert add.argv == ("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(layout.net))
    assert inside.argv == ("nsenter", f"--net={layout.net}", "ip", "-batch", "-")
    assert "addr add 198.19.0.6/30 dev eth0" in str(inside.stdin)
    assert address.argv == ("ip", "addr", "add", "198.19.0.5/30", "dev", name)
    assert up.argv == ("ip", "link", "set", name, "up")


def test_a_second_node_is_plugged_into_a_switch_as_are_this_machine_and_the_first_node(second: Layout) -> None:
    first = second.nodes[0]
    _, inside, address, up = network.make_link(second)
    assert inside.stdin == "link set eth0 master switch\nlink set eth0 up\n"
    assert address.argv[:4] == ("ip", "addr", "add", "198.19.0.9/30")
    assert up.argv[3] == second.interface != first.interface
    pair, way, outside, port = network.make_trunk(first, second)
    assert pair.argv[1] == f"--net={first.net}"
    assert str(second.net) in pair.argv
    assert "route add 198.19.0.10 dev trunk" in str(way.stdin)
    assert "route add 10.88.128.0/17 via 198.19.0.10" in str(way.stdin)
    assert outside.argv[-7:] == ("-s", "10.88.0.0/17", "!", "-d", "10.88.0.0/16", "-j", "MASQUERADE")
    assert port.argv[1] == f"--net={second.net}"
    assert len(second.interface) <= 15


def test_a_second_nodes_first_process_gets_a_network_of_its_own(second: Layout) -> None:
    argv = control.command(second).argv
    assert argv[:3] == ("nsenter", f"--net={second.net}", "unshare")
    script = argv[argv.index("--net") + 1 :]
    assert script[0] == "sh"
    assert script[2:9] == (
        str(second.net),
        "198.19.0.10/30",
        "198.19.0.9",
        "10.88.128.0/17",
        "198.19.0.6",
        "10.88.0.0/17",
        "10.88.0.0/16",
    )
    assert "--net" not in control.command(second.nodes[0]).argv


def test_nothing_is_ready_before_anything_is_made(layout: Layout) -> None:
    assert not network.ready(layout)
