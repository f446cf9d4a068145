from __future__ import annotations

import pytest

from longshore.errors import Precondition
from longshore.local import network
from longshore.local.place import Place

STATUS = "Name:\tpython\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities}\n"


def test_a_plain_user_is_told_what_to_do() -> None:
    with pytest.raises(Precondition, match="needs root") as raised:
        network.require_root(STATUS.format(uid=1000, capabilities="000001ffffffffff"))
    assert "context" in raised.value.hint


def test_a_root_user_without_the_right_capabilities_is_told_which() -> None:
    with pytest.raises(Precondition, match="CAP_SYS_ADMIN"):
        network.require_root(STATUS.format(uid=0, capabilities="00000000a80435fb"))


def test_root_with_what_it_takes_may_go_on() -> None:
    network.require_root(
        STATUS.format(uid=0, capabilities="000001fffeffffff")
    )  # CAP_SYS_RESOURCE is not needed


def test_the_link_names_the_namespace_s_file_and_touches_one_interface(place: Place) -> None:
    add, inside, address, up = network.make_link(place)
    name = place.interface
    assert add.argv == (
        "ip",
        "link",
        "add",
        name,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        str(place.net),
    )
    assert inside.argv == ("nsenter", f"--net={place.net}", "ip", "-batch", "-")
    assert "addr add 198.19.0.6/30 dev eth0" in str(inside.stdin)
    assert address.argv == ("ip", "addr", "add", "198.19.0.5/30", "dev", name)
    assert up.argv == ("ip", "link", "set", name, "up")


def test_nothing_is_ready_before_anything_is_made(place: Place) -> None:
    assert not network.ready(place)
