from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from longshore import settings
from longshore.errors import Precondition
from longshore.local.place import CLUSTER_RANGES, LINKS, Existing, Place, choose, routes

TABLE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000580A	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


def test_routes_are_read_without_the_default_route() -> None:
    assert list(routes(TABLE)) == [IPv4Network("192.0.2.0/24"), IPv4Network("10.88.0.0/16")]


def test_chosen_networks_overlap_nothing_that_is_routed() -> None:
    link, pods, services = choose("shop-local-3f9a2c", routes(TABLE))
    assert link.prefixlen == 30
    assert link.subnet_of(LINKS)
    assert (pods, services) == CLUSTER_RANGES[1:3]  # 10.88.0.0/16 is routed


def test_the_same_id_gets_the_same_link_and_a_taken_one_is_passed_over() -> None:
    first, *_ = choose("a", [])
    assert choose("a", [])[0] == first
    assert choose("a", [first])[0] != first
    assert not choose("a", [first])[0].overlaps(first)


def test_no_free_network_is_a_missing_precondition() -> None:
    with pytest.raises(Precondition, match="routed on this machine"):
        choose("a", [LINKS])


def test_names_fit_the_kernel_and_differ_between_environments(place: Place) -> None:
    longer = replace(place, id="a-very-long-project-a-very-long-environment-123456")
    assert len(longer.interface) <= 15
    assert longer.interface != place.interface


def test_addresses_follow_from_the_link(place: Place) -> None:
    assert (place.host_ip, place.node_ip) == ("198.19.0.5", "198.19.0.6")
    assert place.registry == "198.19.0.6:5001"
    assert place.endpoint == "https://198.19.0.6:6443"


def test_an_existing_cluster_brings_its_own_addresses(place: Place, tmp_path: Path) -> None:
    existing = Existing(
        context="kind", kubeconfig=tmp_path / "config", registry="localhost:5000", node_address="127.0.0.1",
        docker_config=tmp_path,
    )  # fmt: skip
    there = replace(place, existing=existing)
    assert (there.registry, there.node_ip, there.host_ip) == ("localhost:5000", "127.0.0.1", "127.0.0.1")
    assert there.kubeconfig == tmp_path / "config"
    assert there.kubectl == Path("kubectl")


def test_addresses_are_chosen_once_and_environments_do_not_share_a_link(tmp_path: Path) -> None:
    def made(name: str) -> Place:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        (root / "longshore.toml").write_text('[project]\nname = "shop"\n[environments.local.local]\n')
        found = settings.load(root, {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
        return Place.of(found, found.environment("local"))

    first, second = made("first"), made("second")
    assert made("first").link == first.link
    assert not first.link.overlaps(second.link)
    assert json.loads((first.state / "place.json").read_text())["link"] == str(first.link)


def test_a_damaged_record_of_the_addresses_is_named(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text('[project]\nname = "shop"\n[environments.local.local]\n')
    found = settings.load(tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
    environment = found.environment("local")
    assert environment.local
    environment.local.state.mkdir(parents=True)
    (environment.local.state / "place.json").write_text("{")
    with pytest.raises(Precondition, match="damaged"):
        Place.of(found, environment)
