"""BuildKit, the stand-in for the base image and a real registry, on a throw-away environment."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.command import Secret, change
from longshore.commands import buildctl
from longshore.errors import CommandFailed
from longshore.local import base_image, buildkit, packages
from longshore.local.build import buildkit as programs
from longshore.local.daemon import Daemon, marked
from longshore.local.place import Place
from longshore.local.registry import answers
from longshore.runner import Runner
from longshore.settings import Settings, load

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a daemon with mounts of its own needs root")

DOCKERFILE = """\
FROM python:3.11-slim-bookworm AS build
COPY requirements.txt /
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=false \\
    python -m venv /app && /app/bin/pip install --quiet --requirement /requirements.txt
FROM python:3.11-slim-bookworm
COPY --from=build /app /app
COPY main.py /
USER 10001:10001
RUN test ! -e /etc/pip.conf && /app/bin/python /main.py
"""
SETTINGS = """\
[project]
name = "probe"
[environments.images.local]
context = "none"
registry = "127.0.0.1:{port}"
node_address = "127.0.0.1"
"""


def quiet(text: str, done: int | None, total: int | None) -> None:
    """Take progress and say nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "longshore.toml").write_text(SETTINGS.format(port=port))
    # Only the state is thrown away: the cache is the user's own, and warm.
    return load(folder, os.environ | {"XDG_STATE_HOME": str(folder / "state")})


@pytest.fixture(scope="module")
def runner(settings: Settings, folder: Path) -> Runner:
    return Runner(settings.environ, log_dir=folder / "logs")


@pytest.fixture(scope="module")
def place(settings: Settings, runner: Runner, folder: Path) -> Iterator[Place]:
    """An environment whose registry and base image are up, and whose BuildKit runs."""
    place = Place.of(settings, settings.environment("images"))
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\n"
        f"http: {{addr: '{place.registry}'}}\n"
    )
    registry = Daemon(id=place.id, name="registry", run=place.run, log=place.logs / "registry.log")
    command = change("docker-registry", "serve", str(config), env={"PATH": packages.SYSTEM_PATH})
    try:
        registry.start(runner, command, ready=lambda: answers(place.registry), deadline=10)
        programs.start(settings, runner, quiet)
        base_image.start(settings, runner, quiet)
        buildkit.start(settings, place, runner, quiet)
        base_image.push(settings, place, runner, quiet)
        yield place
    finally:
        buildkit.stop(place)
        registry.stop()
        for file in place.run.iterdir():
            file.unlink()
        place.run.rmdir()
        assert marked(place.id) == []


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "requirements.txt").write_text("itsdangerous==2.2.0\n")
    (tmp_path / "main.py").write_text("import itsdangerous, ssl, sqlite3\n")
    return tmp_path


def build(settings: Settings, place: Place, runner: Runner, context: Path) -> str:
    """Return the digest of the image."""
    metadata = context.parent / f"{context.name}.json"
    pip = base_image.pip_conf(settings)
    env: dict[str, str | Secret] = {}
    command = buildctl.build(
        str(buildkit.buildctl(settings)), f"unix://{place.buildkit_socket}", context, "Dockerfile",
        name=f"{place.registry}/probe/app", metadata=metadata, contexts=base_image.contexts(settings, place),
        secrets={"pip_conf": pip} if pip else {}, env=env, deadline=120.0,
    )  # fmt: skip
    runner.run(command)
    return str(json.loads(metadata.read_text())["containerimage.digest"])


def cgroups(place: Place) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/{buildkit.cgroup(place)}"))


def test_the_registry_has_what_cluster_and_dockerfile_start_from(settings: Settings, place: Place) -> None:
    assert base_image.pushed(settings, place)
    assert base_image.ready(settings)


def test_a_dockerfile_on_the_official_name_builds_and_the_same_sources_give_the_same_digest(
    settings: Settings, place: Place, runner: Runner, context: Path
) -> None:
    first = build(settings, place, runner, context)
    again = build(settings, place, runner, context)
    assert again == first
    for file in context.iterdir():
        os.utime(file, (0, 0))
    assert build(settings, place, runner, context) == first
    (context / "main.py").write_text("import itsdangerous\n")
    assert build(settings, place, runner, context) != first


def test_a_step_that_fails_is_shown(settings: Settings, place: Place, runner: Runner, context: Path) -> None:
    (context / "main.py").write_text("raise SystemExit('the reason')\n")
    with pytest.raises(CommandFailed) as problem:
        build(settings, place, runner, context)
    assert "the reason" in problem.value.detail


def test_a_start_while_it_runs_changes_nothing(settings: Settings, place: Place, runner: Runner) -> None:
    before = json.loads((place.run / "buildkit.pid").read_text())
    buildkit.start(settings, place, runner, quiet)
    assert json.loads((place.run / "buildkit.pid").read_text()) == before


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_nothing_is_left_of_a_daemon_that_ends_while_it_builds(
    settings: Settings, place: Place, runner: Runner, context: Path, end: str
) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    mark = f"{place.id}-{end}-{time.time_ns()}"
    (context / "main.py").write_text("import sys, time\ntime.sleep(120 if sys.argv[1:] else 0)\n")
    (context / "Dockerfile").write_text(f"{DOCKERFILE}RUN /app/bin/python /main.py {mark}\n")
    contexts = base_image.contexts(settings, place)
    overrides = [f"--opt=context:{name}=docker-image://{image}" for name, image in contexts.items()]
    command = change(
        str(buildkit.buildctl(settings)), f"--addr=unix://{place.buildkit_socket}",
        f"--local=context={context}", f"--local=dockerfile={context}", *overrides,
    )  # fmt: skip
    client = runner.spawn(command, log=context.parent / f"{end}.log")
    try:
        wait_until(lambda: running(mark))
        assert cgroups(place)
        if end == "kill":
            os.kill(json.loads((place.run / "buildkit.pid").read_text())[0], signal.SIGKILL)
            wait_until(lambda: not running(mark))
            assert not buildkit.ready(place)
        buildkit.stop(place)
        assert not running(mark)
        assert marked(place.id, "buildkit") == []
        assert Path("/proc/self/mounts").read_text() == mounts
        assert cgroups(place) == []
        assert not place.buildkit_socket.exists()
    finally:
        os.kill(client, signal.SIGKILL)
        buildkit.start(settings, place, runner, quiet)
    assert buildkit.ready(place)
    assert base_image.pushed(settings, place)


def running(mark: str) -> bool:
    """Whether a Python whose arguments hold MARK lives."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"/app/bin/python" and mark.encode() in words:
            return True
    return False


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
