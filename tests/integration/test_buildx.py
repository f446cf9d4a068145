"""A deployment's build with the user's own Docker: buildx with a builder of the user's, which is BuildKit here."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from localcloud import registry_login
from localcloud.layout import Layout
from longshore.infra.outputs import Outputs
from longshore.pipeline import gitlab
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings
from longshore.snapshot.take import take
from longshore.tasks.world import World
from tests.integration import buildx
from tests.integration.aws_process import AwsProcess
from tests.integration.buildx import environment
from tests.integration.conftest import quiet
from tests.unit.pipeline import given

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="a daemon with mounts of its own needs root"),
]

BASE = "library/python:3.11-slim-bookworm"
SETTINGS = """\
[project]
name = "shop"
[application]
path = "application"
requirements = "requirements.txt"
base_image = "{base}"
[environments.production]
account = "123456789012"
region = "eu-central-1"
"""


@pytest.fixture(scope="module")
def own(settings: Settings, runner: Runner, layout: Layout, folder: Path) -> Path:
    """A Docker configuration as people have it: a plugin, a context, helpers for logins, a builder that is in use."""
    own = folder / "home" / ".docker"
    buildx.configure(own, buildx.plugin(settings, runner), layout)
    for words in (("create", "colleague", "--docker", "host=tcp://127.0.0.1:9"), ("use", "colleague")):
        argv = ["docker", "context", *words]
        subprocess.run(argv, env=environment(own), check=True, capture_output=True, timeout=60)
    config = json.loads((own / "config.json").read_text())
    config |= {
        "auths": {"ghcr.io": {}, layout.registry: {"auth": registry_login.token(layout)}},
        "credsStore": "of-which-there-is-none",
        "credHelpers": {layout.registry: "ecr-login-that-is-not-installed"},
    }
    (own / "config.json").write_text(json.dumps(config))
    return own


@pytest.fixture
def shell(own: Path, layout: Layout, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The variables of a shell that deploys to production, which the local AWS plays here."""
    process = AwsProcess(folder / "aws", "--registry", layout.registry, "--docker-config", str(layout.docker_config))
    process.start()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in process.environment.items():
        monkeypatch.setenv(name, value)
    yield os.environ | process.environment | environment(own)
    process.end()


def project(folder: Path, base: str) -> Path:
    folder.mkdir()
    (folder / "longshore.toml").write_text(SETTINGS.format(base=base))
    (folder / "application").mkdir()
    (folder / "application" / "app.py").write_text("one = 1\n")
    (folder / "requirements.txt").touch()
    (folder / ".gitignore").write_text(".longshore\n")
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY application /application\nRUN touch /made\n")
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def outputs(repository: str) -> Outputs:
    rest: dict[str, Any] = {"cluster_certificate_authority_data": "", "values": {}, "node_port": 30080}
    return Outputs(
        url="https://x", repository_url=repository, cluster_name="shop", cluster_endpoint="https://x", **rest
    )


def test_the_users_builder_builds_the_same_image_again_with_our_login(
    layout: Layout, own: Path, shell: dict[str, str], tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file() and "buildx" not in path.parts}
    found = []
    for number in (1, 2):
        folder = project(tmp_path / f"checkout {number}", f"{layout.registry}/{BASE}")
        settings, runner = load(folder, shell), Runner(shell, log_dir=folder / ".longshore")
        snapshot = take(settings, runner)
        world = World(settings, "production", runner, lambda snapshot=snapshot: snapshot)  # type: ignore[misc]
        assert world.image.base().startswith(f"{layout.registry}/{BASE}@sha256:"), "with the login that the user has"
        place = world.place(outputs(f"{layout.registry}/shop/buildx-{number}"))
        assert place.platform == "linux/amd64"
        found.append(world.image.provide(place, quiet))
    assert found[0].digest == found[1].digest
    log = "".join(path.read_text() for path in (tmp_path / "checkout 1" / ".longshore").glob("*.log"))
    assert 'building with "ours" instance using remote driver' in log
    after = {path: path.read_bytes() for path in own.rglob("*") if path.is_file() and "buildx" not in path.parts}
    assert after == before


def pump(from_: socket.socket, to: socket.socket) -> None:
    while data := from_.recv(1 << 16):
        to.sendall(data)
    to.shutdown(socket.SHUT_WR)


@contextmanager
def over_tcp(file: Path) -> Iterator[str]:
    """The address on TCP of what listens at the socket FILE."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as there:
                there.connect(str(file))
                back = threading.Thread(target=pump, args=(there, self.request), daemon=True)
                back.start()
                pump(self.request, there)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_job_with_a_rootless_buildkit_builds_by_the_line_of_the_pipeline_s_file(
    settings: Settings, runner: Runner, layout: Layout, shell: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "home" / ".docker"
    (own / "cli-plugins").mkdir(parents=True)
    (own / "cli-plugins" / "docker-buildx").symlink_to(buildx.plugin(settings, runner))
    (own / "config.json").write_text(json.dumps({"auths": {layout.registry: {"auth": registry_login.token(layout)}}}))
    pipeline = replace(given.settings().pipeline, buildkit="moby/buildkit:rootless")
    job = yaml.safe_load(gitlab.render(replace(given.settings(), pipeline=pipeline)))[".docker"]
    with over_tcp(layout.buildkit_socket) as address:
        line = job["before_script"][-1].replace("tcp://buildkit:1234", address)
        made = subprocess.run(
            line.split(), env=environment(own), capture_output=True, text=True, timeout=60, check=False
        )
        assert made.returncode == 0, made.stderr
        checkout = project(tmp_path / "checkout", f"{layout.registry}/{BASE}")
        variables = shell | environment(own)
        at, log = load(checkout, variables), checkout / ".longshore"
        snapshot = take(at, Runner(variables, log_dir=log))
        world = World(at, "production", Runner(variables, log_dir=log), lambda: snapshot)
        image = world.image.provide(world.place(outputs(f"{layout.registry}/shop/rootless")), quiet)
    assert image.digest.startswith("sha256:")
    assert "instance using remote driver" in "".join(path.read_text() for path in log.glob("*.log"))
