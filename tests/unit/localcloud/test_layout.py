from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from msgspec.structs import replace

from localcloud import addresses
from localcloud.addresses import CLUSTER_RANGES, LINKS, RECORD, choose, routes
from localcloud.layout import Existing, Layout
from longshore.errors import Precondition
from longshore.settings import load

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
    with pytest.raises(Precondition, match="already routes every private network"):
        choose("a", [LINKS])


def test_names_fit_the_kernel_and_differ_between_environments(layout: Layout) -> None:
    longer = replace(layout, id="a-very-long-project-a-very-long-environment-123456")
    assert len(longer.interface) <= 15
    assert longer.interface != layout.interface


def test_addresses_follow_from_the_link(layout: Layout) -> None:
    assert (layout.host_ip, layout.node_ip) == ("198.19.0.5", "198.19.0.6")
    assert layout.registry == "198.19.0.6:5001"
    assert layout.endpoint == "https://198.19.0.6:6443"


def test_a_second_node_has_what_the_first_has_and_the_environment_stays_the_first_ones(second: Layout) -> None:
    first, other = second.nodes
    own = ("interface", "cgroup", "net", "node_ip", "host_ip", "node_name", "zone", "own_pods", "own_link", "config")
    assert not [name for name in own if getattr(first, name) == getattr(other, name)]
    for shared in ("registry", "endpoint", "kubeconfig", "aws_secret", "services", "links"):
        assert getattr(first, shared) == getattr(other, shared)
    assert other.registry == "198.19.0.6:5001"


def test_an_existing_cluster_brings_its_own_addresses(layout: Layout, tmp_path: Path) -> None:
    existing = Existing(
        context="kind",
        kubeconfig=tmp_path / "config",
        registry="localhost:5000",
        node_address="127.0.0.1",
        docker_config=tmp_path,
    )
    there = replace(layout, existing=existing)
    assert (there.registry, there.node_ip, there.host_ip) == ("localhost:5000", "127.0.0.1", "127.0.0.1")
    assert there.kubeconfig == tmp_path / "config"
    assert there.kubectl == Path("kubectl")


def test_addresses_are_chosen_once_and_environments_do_not_share_a_link(tmp_path: Path) -> None:
    def made(name: str) -> Layout:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        (root / "longshore.toml").write_text('[project]\nname = "shop"\n[environments.local.local]\n')
        found = load.load(root, {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
        return Layout.of(found, found.environment("local"))

    first, second = made("first"), made("second")
    assert made("first").link == first.link
    assert not first.link.overlaps(second.link)
    assert json.loads((first.state / RECORD).read_text())["link"] == str(first.link)


def test_a_second_nodes_link_is_chosen_when_it_is_wanted_and_overlaps_no_other(tmp_path: Path) -> None:
    def made(name: str, nodes: int) -> Layout:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        text = f'[project]\nname = "shop"\n[environments.local.local]\nnodes = {nodes}\n'
        (root / "longshore.toml").write_text(text)
        found = load.load(root, {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
        return Layout.of(found, found.environment("local"))

    one = made("first", 1)
    assert one.nodes == (one,)
    two = made("first", 2)
    assert two.link == one.link
    assert [node.number for node in two.nodes] == [1, 2]
    assert made("first", 2).second == two.second
    other = made("second", 2)
    links = [one.link, two.second, other.link, other.second]
    assert not [pair for pair in itertools.combinations(links, 2) if pair[0].overlaps(pair[1])]  # type: ignore[union-attr, arg-type]
    assert made("first", 1).nodes[0].own_pods == one.pods


def test_a_damaged_record_of_the_addresses_is_named(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text('[project]\nname = "shop"\n[environments.local.local]\n')
    found = load.load(tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)})
    environment = found.environment("local")
    assert environment.local
    environment.local.state.mkdir(parents=True)
    (environment.local.state / RECORD).write_text("{")
    with pytest.raises(Precondition, match="damaged"):
        Layout.of(found, environment)


def test_environments_that_choose_at_the_same_time_do_not_share_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_link: dict[IPv4Network, str] = {}
    names = (f"shop-{number}" for number in itertools.count())
    first, second = next(
        (by_link[link], name) for name in names if by_link.setdefault(link := choose(name, [])[0], name) != name
    )
    both_read = threading.Barrier(2)

    def taken(file: Path) -> Iterator[IPv4Network]:
        links = list(links_of_others(file))
        with contextlib.suppress(threading.BrokenBarrierError):
            both_read.wait(0.5)
        return iter(links)

    links_of_others = addresses._links_of_others
    monkeypatch.setattr(addresses, "_links_of_others", taken)
    with ThreadPoolExecutor() as pool:
        chosen = pool.map(lambda name: addresses.chosen(tmp_path / name / RECORD, name)[0], (first, second))
    one, other = chosen
    assert not one.overlaps(other)
