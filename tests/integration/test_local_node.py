"""The node with real Kubernetes: started, wounded, killed, started again, doubled, and gone without a trace."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longshore import settings as settings_module
from longshore.command import query
from longshore.local import lifecycle, network, registry, registry_login
from longshore.local.build import kubernetes
from longshore.local.build.pause import PAUSE
from longshore.local.node import control
from longshore.local.place import Place
from longshore.runner import Runner
from longshore.settings import Settings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

COMPONENTS = (
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: sleeper, namespace: default}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: sleeper}}}}
  template:
    metadata: {{labels: {{app: sleeper}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: sleeper, image: "{registry}/pause:1"}}]
"""


def silent(text: str, done: int | None, total: int | None) -> None:
    """Take progress without a word."""


@dataclass(frozen=True)
class Live:
    """A started environment without AWS and edge, and questions to it."""

    place: Place
    settings: Settings
    runner: Runner

    def start(self) -> None:
        network.start(self.place, self.runner)
        registry.start(self.place, self.runner)
        if not _has_image(self.place):
            PAUSE.start(self.settings, self.runner, silent)
            _push(self.place, PAUSE.path(self.settings, "pause"))
        control.start(self.place, self.runner, silent)

    def kubectl(self, *argv: str, stdin: str | None = None) -> str:
        options = (f"--kubeconfig={self.place.kubeconfig}", f"--cache-dir={self.place.state}/kubectl-cache")
        return self.runner.run(query(str(self.place.kubectl), *options, *argv, stdin=stdin)).stdout

    def pods(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "--output=json"))["items"]
        return items

    def ready_pods(self) -> int:
        conditions = [one for pod in self.pods() for one in pod["status"].get("conditions", ())]
        return sum(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def processes(self) -> list[int]:
        pid = control.daemon(self.place).pid()
        return lifecycle.family(pid) if pid else []

    def component(self, name: str) -> int:
        """Return the pid of a component as this machine sees it."""
        for pid in self.processes():
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if argv[0].endswith(name.encode()) or argv[1:2] == [name.encode()]:
                return pid
        raise AssertionError(f"{name} does not run")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Live]]:
    """Make environments in throw-away projects; whatever a test leaves of them is removed at the end."""
    made: list[Live] = []

    def one() -> Live:
        root = tmp_path_factory.mktemp("project")
        (root / "longshore.toml").write_text('[project]\nname = "node"\n[environments.local.local]\n')
        environ = settings_module.process_environment() | {"XDG_STATE_HOME": str(root / "state")}
        settings = settings_module.load(root, environ)
        if not kubernetes.ready(settings):
            pytest.skip("Kubernetes is not compiled on this machine yet: `invoke local.up` does that once")
        place = Place.of(settings, settings.environment("local"))
        live = Live(place, settings, Runner(environ, log_dir=root / "logs"))
        made.append(live)
        return live

    yield one
    for live in made:
        lifecycle.reset(live.place, live.runner, silent)


@pytest.fixture(scope="module")
def live(make: Callable[[], Live]) -> Live:
    """An environment that runs two pods."""
    one = make()
    one.start()
    one.kubectl("apply", "--filename=-", stdin=DEPLOYMENT.format(registry=one.place.registry))
    _until(lambda: one.ready_pods() == 2, 30)
    return one


def test_logs_of_a_pod_reach_the_user(live: Live) -> None:
    # They travel over the kubelet's address and its certificate: with a loopback address this fails.
    assert live.kubectl("logs", "deployment/sleeper") == ""


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_killed_component_comes_back_and_pods_run_on(live: Live, name: str) -> None:
    before = control.status(live.place)[name]["restarts"]
    started = sorted(_started(live))
    os.kill(live.component(name), signal.SIGKILL)
    _until(lambda: control.status(live.place)[name]["restarts"] == before + 1, 10)
    _until(lambda: control.ready(live.place), 30)
    _until(lambda: live.ready_pods() == 2, 30)
    assert sorted(_started(live)) == started


def test_what_runs_the_pods_gives_way_to_them(live: Live) -> None:
    for name in COMPONENTS:
        held = Path(f"/proc/{live.component(name)}/cgroup").read_text().splitlines()
        assert all(line.endswith(f"/{live.place.cgroup}-node") for line in held if "name=" not in line)
    counts = [
        int(next(Path("/sys/fs/cgroup").glob(f"{top}{live.place.cgroup}{end}/{file}")).read_text())
        for top, file in (("", "cpu.weight"), ("cpu/", "cpu.shares"))
        for end in ("", "-node")
        if Path("/sys/fs/cgroup", top, live.place.cgroup, file).exists()
    ]
    pods, rest = counts
    assert pods == 16 * rest or pods == 200 > rest == 12


def test_a_killed_node_leaves_no_process_and_is_back_as_it_was(live: Live) -> None:
    live.kubectl("create", "configmap", "kept", "--from-literal=written=before the crash")
    processes = live.processes()
    assert len(processes) > len(COMPONENTS)
    os.kill(processes[0], signal.SIGKILL)
    _until(lambda: not [pid for pid in processes if _lives(pid)], 3)
    assert not control.ready(live.place)
    live.start()
    assert live.ready_pods() == 2
    assert live.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.written}") == "before the crash"


def test_starting_what_runs_changes_nothing(live: Live) -> None:
    pid = control.daemon(live.place).pid()
    live.start()
    assert control.daemon(live.place).pid() == pid


def test_a_second_environment_runs_beside_the_first(live: Live, make: Callable[[], Live]) -> None:
    other = make()
    assert not other.place.link.overlaps(live.place.link)
    other.start()
    assert other.pods() == []
    lifecycle.down(other.place, other.runner, silent)
    assert live.ready_pods() == 2


def test_down_leaves_the_state_alone_on_the_machine(live: Live) -> None:
    firewall = live.runner.run(query("iptables-save")).stdout
    assert "KUBE" not in firewall
    live.start()
    lifecycle.down(live.place, live.runner, silent)
    assert list(lifecycle.remains(live.place)) == []
    assert not live.place.run.exists()
    assert live.runner.run(query("iptables-save")).stdout == firewall
    assert str(live.place.id) not in Path("/proc/mounts").read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/*{live.place.id}*"))
    lifecycle.down(live.place, live.runner, silent)  # twice is fine
    live.start()
    assert live.ready_pods() == 2


def test_down_after_a_half_made_start(make: Callable[[], Live]) -> None:
    half = make()
    network.start(half.place, half.runner)
    half.runner.run(query("ip", "link", "delete", half.place.interface))
    lifecycle.down(half.place, half.runner, silent)
    assert list(lifecycle.remains(half.place)) == []


def _started(live: Live) -> list[str]:
    return [
        one["state"]["running"]["startedAt"]
        for pod in live.pods()
        for one in pod["status"]["containerStatuses"]
    ]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (KeyError, settings_module.BadInput, lifecycle.Failure):
            pass  # the API server is away for a moment
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def _has_image(place: Place) -> bool:
    with closing(http.client.HTTPConnection(place.registry, timeout=5)) as connection:
        allowed = registry_login.headers(place)
        connection.request("GET", "/v2/pause/manifests/1", headers={"Accept": MANIFEST} | allowed)
        return connection.getresponse().status == 200


def _push(place: Place, program: Path) -> None:
    """Push an image of PROGRAM alone, as any client would: BuildKit has tests of its own."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(program, "pause")
    layer = gzip.compress(packed.getvalue())
    diff = hashlib.sha256(packed.getvalue()).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/pause"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
        }
    ).encode()
    kinds = {
        "config": "application/vnd.oci.image.config.v1+json",
        "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
    }

    def upload(kind: str, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        location = _request(place, "POST", "/v2/pause/blobs/uploads/")
        target = location[location.index("/v2/") :]
        _request(place, "PUT", f"{target}{'&' if '?' in target else '?'}digest={digest}", data)
        return {"mediaType": kinds[kind], "digest": digest, "size": len(data)}

    described = {"config": upload("config", config), "layers": [upload("layer", layer)]}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **described}).encode()
    _request(place, "PUT", "/v2/pause/manifests/1", manifest, MANIFEST)


def _request(
    place: Place, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
) -> str:
    with closing(http.client.HTTPConnection(place.registry, timeout=10)) as connection:
        connection.request(method, path, body, {"Content-Type": kind} | registry_login.headers(place))
        answer = connection.getresponse()
        assert answer.status in (201, 202), answer.read()
        return answer.headers.get("Location") or ""
