from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from localcloud.layout import Layout
from localcloud.node import files, init
from localcloud.node.spec import components, spec

pytestmark = pytest.mark.usefixtures("containerd")


@pytest.fixture
def containerd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, so that the tests need no package."""
    program = tmp_path / "bin" / "containerd"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setattr("localcloud.packages.SYSTEM_PATH", str(program.parent))


def test_each_component_waits_for_what_it_needs(layout: Layout) -> None:
    needs = {one["name"]: one["needs"] for one in components(layout)}
    assert needs["kube-apiserver"] == ["etcd"]
    assert needs["kubelet"] == ["containerd", "kube-apiserver"]
    assert set().union(*needs.values()) <= set(needs)


def test_etcd_ends_after_what_writes_to_it(layout: Layout) -> None:
    ends = {one["name"]: one["stop"] for one in components(layout)}
    assert ends["kubelet"] < ends["kube-apiserver"] < ends["etcd"]
    assert sum({*ends.values()}) <= 9


def test_writes_of_etcd_reach_the_disk(layout: Layout) -> None:
    argv = next(one["argv"] for one in components(layout) if one["name"] == "etcd")
    assert not any("no-fsync" in word for word in argv)


def test_tokens_are_asked_about_at_the_local_aws(layout: Layout) -> None:
    argv = next(one["argv"] for one in components(layout) if one["name"] == "kube-apiserver")
    assert f"--authentication-token-webhook-config-file={layout.state}/node/webhook.yaml" in argv
    server = yaml.safe_load(files.webhook(layout))["clusters"][0]["cluster"]["server"]
    known = layout.aws_secret.read_text()
    assert layout.aws_secret.stat().st_mode & 0o777 == 0o600
    assert server == f"http://longshore:{known}@198.19.0.5:4566/_local/authenticate"


def test_service_account_tokens_name_the_issuer_that_eks_describes(layout: Layout) -> None:
    argv = next(one["argv"] for one in components(layout) if one["name"] == "kube-apiserver")
    assert f"--service-account-issuer={layout.issuer}" in argv
    assert re.fullmatch(r"https://oidc\.eks\.eu-central-1\.amazonaws\.com/id/[0-9A-F]{32}", layout.issuer)


def test_files_are_what_their_readers_parse(layout: Layout) -> None:
    written = files.all_files(layout, "/usr/lib/cni")
    assert yaml.safe_load(written["audit.yaml"])["kind"] == "Policy"
    assert json.loads(written["kubelet.json"])["cgroupRoot"] == f"/{layout.cgroup}"
    assert json.loads(written["cni/10-pods.conflist"])["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.88.0.0/16"}]]
    assert f'sandbox_image = "{layout.registry}/pause:1"' in written["containerd.toml"]


def test_a_new_cluster_holds_a_dns_service_that_nothing_stands_behind(layout: Layout) -> None:
    items = json.loads(files.bootstrap(layout))["items"]
    assert [(one["kind"], one["metadata"]["name"]) for one in items] == [("Service", "kube-dns")]
    assert "selector" not in items[0]["spec"]


def test_the_node_hides_the_folders_that_components_write_to(layout: Layout) -> None:
    prepared = spec(layout)
    assert "/run" in prepared["cover"]
    assert str(layout.state) in prepared["keep"]
    assert not any("proxy" in name.lower() for name in prepared["env"])


def test_a_second_node_has_no_control_plane_and_shares_nothing_with_the_first(layout: Layout, second: Layout) -> None:
    assert [one["name"] for one in components(second)] == ["containerd", "kubelet", "kube-proxy", "network-policies"]
    assert not any(one["needs"] for one in components(second) if one["name"] != "kubelet")
    assert {"webhook.yaml", "audit.yaml"}.isdisjoint(files.all_files(second, "/usr/lib/cni"))
    one, other = spec(second.nodes[0]), spec(second)
    assert one["cgroup"] != other["cgroup"]
    assert one["status"] != other["status"]
    assert not {*one["folders"]} & {*other["folders"]}
    logs = [component["log"] for each in (one, other) for component in each["components"]]
    assert len(logs) == len({*logs})


def test_nodes_are_in_zones_of_their_own_and_one_alone_is_in_none(layout: Layout, second: Layout) -> None:
    def kubelet(node: Layout) -> list[str]:
        return next(one["argv"] for one in components(node) if one["name"] == "kubelet")

    assert (
        "--node-labels=topology.kubernetes.io/zone=eu-central-1a,topology.kubernetes.io/region=eu-central-1"
        in kubelet(second.nodes[0])
    )
    assert any("zone=eu-central-1b," in flag for flag in kubelet(second))
    assert {"--hostname-override=local-2", "--node-ip=198.19.0.10"} <= {*kubelet(second)}
    assert not any("label" in flag or not flag for flag in kubelet(layout))
    assert replace(second, region="ap-northeast-1").zone == "ap-northeast-1c", "new accounts have no b there"


def test_pods_of_two_nodes_have_halves_of_the_addresses_and_keep_them_between_nodes(second: Layout) -> None:
    def network(node: Layout) -> dict[str, Any]:
        plugin: dict[str, Any] = json.loads(files.cni(node))["plugins"][0]
        return plugin

    assert [network(node)["ipam"]["ranges"] for node in second.nodes] == [
        [[{"subnet": "10.88.0.0/17"}]],
        [[{"subnet": "10.88.128.0/17"}]],
    ]
    assert not any(network(node)["ipMasq"] for node in second.nodes)
    proxy = next(one["argv"] for one in components(second) if one["name"] == "kube-proxy")
    assert "--cluster-cidr=10.88.0.0/16" in proxy


def test_what_enforces_policies_on_a_second_node_asks_the_first_and_lets_in_what_comes_through_either(
    second: Layout,
) -> None:
    settings = json.loads(next(one["argv"][-2] for one in components(second) if one["name"] == "network-policies"))
    assert settings["host"] == "198.19.0.6"
    assert settings["link"] == "198.19.0.4/30,198.19.0.8/30"


def test_a_component_that_crashes_again_and_again_is_started_ever_later() -> None:
    component = init.Component("etcd", ["/bin/etcd"], "/dev/null")
    waits = []
    for _ in range(8):
        component.started = time.monotonic()
        component.ended("was ended by signal 9")
        waits.append(component.backoff)
    assert waits == sorted(waits)
    assert waits[-1] == init.BACKOFF_LIMIT


def test_nothing_answers_where_nothing_listens(tmp_path: Path) -> None:
    assert not init.probe(f"unix:{tmp_path}/nothing.sock")
    assert not init.probe("http://127.0.0.1:1/health")


def test_crashes_are_forgotten_after_a_steady_life() -> None:
    component = init.Component("etcd", ["/bin/etcd"], "/dev/null")
    component.backoff = init.BACKOFF_LIMIT
    component.started = time.monotonic() - init.STEADY - 1
    component.ended("was ended by signal 9")
    assert component.next_start - time.monotonic() <= init.BACKOFF
