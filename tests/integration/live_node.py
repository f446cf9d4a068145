"""An environment that runs a node and a registry, without AWS and edge."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle, network, registry, registry_login
from localcloud.build.programs import KUBERNETES, PAUSE
from localcloud.layout import Layout
from localcloud.node import control
from longshore.process.command import query
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from longshore.settings.model import Settings
from tests.integration.processes import words

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def silent(text: str, done: int | None = None, total: int | None = None) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class Live:
    """A started environment without AWS and edge."""

    layout: Layout
    settings: Settings
    runner: Runner

    def start(self) -> None:
        network.start(self.layout, self.runner)
        registry.start(self.layout, self.runner)
        if not _has_image(self.layout):
            PAUSE.start(self.settings, self.runner, silent)
            _push(self.layout, PAUSE.path(self.settings, "pause"))
        control.start(self.layout, self.runner, silent)

    def kubectl(self, *argv: str, stdin: str | None = None) -> str:
        options = (f"--kubeconfig={self.layout.kubeconfig}", f"--cache-dir={self.layout.state}/kubectl-cache")
        return self.runner.run(query(str(self.layout.kubectl), *options, *argv, stdin=stdin)).stdout

    def pods(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "--output=json"))["items"]
        return items

    def ready_pods(self) -> int:
        conditions = [condition for pod in self.pods() for condition in pod["status"].get("conditions", ())]
        return sum(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def processes(self) -> list[int]:
        pid = self.layout.daemon("node").pid()
        return lifecycle.family(pid) if pid else []

    def component(self, name: str) -> int:
        """Return the pid of a component as this machine sees it."""
        for pid in self.processes():
            argv, wanted = words(pid), name.encode()
            if argv and (argv[0].endswith(wanted) or wanted in (*argv[1:2], *argv[-2:-1])):
                return pid
        raise AssertionError(f"{name} is not running")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Live]]:
    """A function that makes an environment in a throw-away project; all are deleted at the end."""
    environments: list[Live] = []

    def new() -> Live:
        root = tmp_path_factory.mktemp("project")
        (root / "longshore.toml").write_text('[project]\nname = "node"\n[environments.local.local]\n')
        environ = process_environment() | {"XDG_STATE_HOME": str(root / "state")}
        settings = load(root, environ)
        if not KUBERNETES.ready(settings):
            pytest.skip("Kubernetes is not compiled on this machine yet: `invoke local.up` does that once")
        layout = Layout.of(settings, settings.environment("local"))
        live = Live(layout, settings, Runner(environ, log_dir=root / "logs"))
        environments.append(live)
        return live

    yield new
    for live in environments:
        lifecycle.reset(live.layout, live.runner, silent)


def _has_image(layout: Layout) -> bool:
    with closing(http.client.HTTPConnection(layout.registry, timeout=5)) as connection:
        allowed = registry_login.headers(layout)
        connection.request("GET", "/v2/pause/manifests/1", headers={"Accept": MANIFEST} | allowed)
        return connection.getresponse().status == 200


def _push(layout: Layout, program: Path) -> None:
    """Push an image that holds only PROGRAM, without BuildKit, which has its own tests."""
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
        location = _request(layout, "POST", "/v2/pause/blobs/uploads/")
        target = location[location.index("/v2/") :]
        _request(layout, "PUT", f"{target}{'&' if '?' in target else '?'}digest={digest}", data)
        return {"mediaType": kinds[kind], "digest": digest, "size": len(data)}

    described = {"config": upload("config", config), "layers": [upload("layer", layer)]}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **described}).encode()
    _request(layout, "PUT", "/v2/pause/manifests/1", manifest, MANIFEST)


def _request(layout: Layout, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream") -> str:
    with closing(http.client.HTTPConnection(layout.registry, timeout=10)) as connection:
        connection.request(method, path, body, {"Content-Type": kind} | registry_login.headers(layout))
        answer = connection.getresponse()
        assert answer.status in (201, 202), answer.read()
        return answer.headers.get("Location") or ""
