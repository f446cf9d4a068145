from __future__ import annotations

from localcloud import network
from localcloud.layout import Layout
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


def test_nothing_is_ready_before_anything_is_made(layout: Layout) -> None:
    assert not network.ready(layout)
