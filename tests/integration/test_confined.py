"""The servers of an environment as they run: whose they are, what they may do and read. Root alone can tell."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from localcloud import aws_daemon, confined, edge, lifecycle, network, packages, pki, registry
from localcloud.edge import Listener
from localcloud.environment import LocalCloud
from localcloud.layout import Layout
from localcloud.ports import require_free
from longshore.errors import Precondition, StepFailed
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from tests.integration.aws_process import free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run programs as others")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    root = tmp_path_factory.mktemp("confined")
    (root / "longshore.toml").write_text('[project]\nname = "confined"\n[environments.local.local]\n')
    environ = process_environment()
    runner = Runner(environ, log_dir=root / "logs")
    packages.start(load(root, environ), runner, lambda *_: None)
    layout = Layout(
        id=f"confined-{os.getpid()}",
        project="confined",
        environment="local",
        region="eu-central-1",
        state=root / "home" / "state",
        run=root / "home" / "run",
        cache=root / "cache",
        kube=root / "kube",
        aws_port=free_port(),
        link=IPv4Network("198.19.255.244/30"),
        pods=IPv4Network("10.88.0.0/16"),
        services=IPv4Network("10.89.0.0/16"),
    )
    (root / "home").mkdir(mode=0o700)
    # What an environment of an older version has left, all of it root's.
    (layout.state / "aws").mkdir(parents=True)
    (layout.state / "registry" / "docker").mkdir(parents=True)
    (layout.state / "registry" / "docker" / "blob").write_text("kept")
    layout.logs.mkdir()
    layout.access_log.touch()
    try:
        network.start(layout, runner)
        pki.ensure(layout)
        registry.start(layout, runner)
        aws_daemon.start(layout, runner)
        edge.serve(layout, runner, [Listener(port=free_port(), protocol="HTTP", target=1)])
        yield layout
    finally:
        registry.stop(layout)
        for part in ("edge", "aws"):
            layout.daemon(part).stop()
        network.stop(layout, runner)


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("part", confined.PARTS)
def test_a_server_has_a_user_of_its_own_no_capability_and_no_way_to_get_one(layout: Layout, part: str) -> None:
    pid = layout.daemon(part).pid()
    assert pid
    found = status(pid)
    number = str(confined.user(layout, part))
    assert found["Uid"].split() == found["Gid"].split() == [number] * 4
    assert found["Groups"] == ""
    assert {int(found[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert found["NoNewPrivs"] == "1"


@pytest.mark.parametrize("part", confined.PARTS)
def test_a_server_reads_its_own_files_and_not_root_s(layout: Layout, part: str) -> None:
    number = confined.user(layout, part)
    private = [layout.pki / "admin.key", layout.kubeconfig, layout.pki / "sa.key", layout.pki / "edge-ca.key"]
    for file in private:
        assert file.stat().st_uid == 0
        assert file.stat().st_mode & 0o077 == 0
    folders = {"aws": layout.state / "aws", "registry": layout.state / "registry", "edge": layout.state / "edge"}
    assert folders[part].stat().st_uid == number
    assert {path.stat().st_uid for path in folders[part].rglob("*")} == {number}
    assert folders[part].stat().st_mode & 0o777 == 0o700
    loose = [path for path in folders[part].rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert part == "registry" or not loose, loose  # below a closed folder, and left by an older version


def test_no_mount_of_a_server_is_seen_outside_of_it(layout: Layout) -> None:
    targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    assert [target for target in targets if "confined" in target] == [str(layout.net)]


def test_the_local_aws_may_cut_the_access_log_and_nobody_else_may_read_it(layout: Layout) -> None:
    found = layout.access_log.stat()
    assert (found.st_uid, found.st_gid) == (confined.user(layout, "edge"), confined.user(layout, "aws"))
    assert found.st_mode & 0o777 == 0o660


def test_it_starts_again_on_what_it_has_written(layout: Layout) -> None:
    runner = Runner(process_environment())
    before = (layout.state / "aws" / "credentials").read_text()
    layout.daemon("aws").stop()
    aws_daemon.start(layout, runner)
    assert aws_daemon.ready(layout)
    assert (layout.state / "aws" / "credentials").read_text() == before
    assert (layout.state / "registry" / "docker" / "blob").read_text() == "kept"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    """An environment that was never started, with the parts of it that need no compiler."""
    port = free_port()
    settings = f'[project]\nname = "first"\n[environments.local.local]\naws_port = {port}\n'
    (tmp_path / "longshore.toml").write_text(settings)
    environ = {**process_environment(), "XDG_STATE_HOME": str(tmp_path / "s")}
    loaded = load(tmp_path, environ)
    cloud = LocalCloud.of(loaded, loaded.environment("local"), Runner(environ))
    yield cloud
    cloud.reset(lambda *_: None)


def start_some(cloud: LocalCloud) -> None:
    network.start(cloud.layout, cloud.runner)
    registry.start(cloud.layout, cloud.runner)
    aws_daemon.start(cloud.layout, cloud.runner)


def test_a_first_start_that_fails_half_way_leaves_nothing_that_holds_a_port(cloud: LocalCloud) -> None:
    def begin() -> None:
        with cloud.first_start():
            start_some(cloud)
            assert aws_daemon.ready(cloud.layout)
            raise StepFailed("Kubernetes does not compile")

    with pytest.raises(StepFailed, match="Kubernetes does not compile"):
        begin()
    assert list(lifecycle.remains(cloud.layout)) == []
    require_free(cloud.layout.aws_port, "the local AWS", "")


def test_a_later_failure_stops_nothing(cloud: LocalCloud) -> None:
    start_some(cloud)
    with pytest.raises(StepFailed), cloud.first_start():
        raise StepFailed("the plan fails")
    assert aws_daemon.ready(cloud.layout)


def test_a_port_that_somebody_takes_during_the_start_is_named_and_nothing_is_left(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.start(cloud.layout, cloud.runner)
    taken = []

    def first(*_: object) -> None:
        monkeypatch.setattr(aws_daemon, "require_free", require_free)
        taken.append(socket.create_server(("127.0.0.1", cloud.layout.aws_port)))

    monkeypatch.setattr(aws_daemon, "require_free", first)
    try:
        with pytest.raises(Precondition, match=rf"port {cloud.layout.aws_port} is taken by .*\(pid {os.getpid()}\)"):
            aws_daemon.start(cloud.layout, cloud.runner)
    finally:
        taken[0].close()


# The attack: what user 65534 of this machine can send. A page and a pod send the same, see test_gate.py.


@pytest.mark.parametrize("path", ["/", "/?Action=AssumeRoleWithWebIdentity", "/moto-api/reset", "/_local/save"])
def test_whoever_is_on_this_machine_writes_nothing(layout: Layout, path: str) -> None:
    for address in ("127.0.0.1", layout.host_ip):
        url = f"http://{address}:{layout.aws_port}{path}"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, b"Action=CreateUser&UserName=a"), timeout=10)
        refused.value.close()
        assert refused.value.code in (401, 403, 404)
    log = (layout.state / "aws" / "requests.log").read_text()
    assert "CreateUser 200" not in log
