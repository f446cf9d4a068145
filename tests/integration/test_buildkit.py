"""BuildKit, the substitute for the base image and a real registry, in a throw-away environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from localcloud import base_image, buildkit
from localcloud.build.programs import BUILDKIT
from localcloud.daemon import marked
from localcloud.environment import LocalCloud
from localcloud.layout import Layout
from longshore.errors import CommandFailed
from longshore.image.build import Image
from longshore.image.logins import Logins
from longshore.process.command import change
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings
from longshore.snapshot.take import take
from tests.integration.conftest import SETTINGS

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


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "requirements.txt").write_text("itsdangerous==2.2.0\n")
    (tmp_path / "main.py").write_text("import itsdangerous, ssl, sqlite3\n")
    return tmp_path


def build(settings: Settings, layout: Layout, runner: Runner, context: Path) -> str:
    """Return the digest of the image."""
    metadata = context.parent / f"{context.name}.json"
    command = LocalCloud(settings, layout, runner).build_command(
        context=context,
        dockerfile=context / "Dockerfile",
        folders={},
        name=f"{layout.registry}/probe/app:{time.time_ns()}",
        metadata=metadata,
        platform="",
        env={"DOCKER_CONFIG": str(layout.docker_config)},
        deadline=120.0,
    )
    runner.run(command)
    return str(json.loads(metadata.read_text())["containerimage.digest"])


def cgroups(layout: Layout) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/{buildkit.cgroup(layout)}"))


def test_the_registry_has_what_cluster_and_dockerfile_start_from(settings: Settings, layout: Layout) -> None:
    assert base_image.pushed(settings, layout)
    assert base_image.ready(settings)


def test_a_dockerfile_on_the_official_name_builds_and_the_same_sources_give_the_same_digest(
    settings: Settings, layout: Layout, runner: Runner, context: Path
) -> None:
    first = build(settings, layout, runner, context)
    again = build(settings, layout, runner, context)
    assert again == first
    for file in context.iterdir():
        os.utime(file, (0, 0))
    assert build(settings, layout, runner, context) == first
    (context / "main.py").write_text("import itsdangerous\n")
    assert build(settings, layout, runner, context) != first


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def checkouts(folder: Path) -> dict[str, Path]:
    """Return checkouts of one small project, by what is special about them."""
    project = folder / "project"
    (project / "application" / "templates").mkdir(parents=True)
    (project / "application" / "app.py").write_text("one = 1\n")
    (project / "application" / "templates" / "index.html").write_text("<h1>one</h1>\n")
    (project / "application" / "start.sh").write_text("#!/bin/sh\n")
    (project / "application" / "start.sh").chmod(0o755)
    (project / "Dockerfile").write_text("FROM python:3.11-slim-bookworm\nCOPY application application\n")
    (project / "longshore.toml").write_text(SETTINGS.format(port=5001))
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    for message in ("Begin", "Go on"):
        git(project, "commit", "-q", "--allow-empty", "-m", message)
    subprocess.run(["sh", "-c", "umask 0000; git clone -q project open"], cwd=folder, check=True)
    git(project, "worktree", "add", "-q", "--detach", str(folder / "worktree"))
    git(folder, "clone", "-q", "project", "with a space")
    git(folder, "clone", "-q", "--depth=1", project.as_uri(), "shallow")
    names = ("project", "open", "worktree", "with a space", "shallow")
    return {name: folder / name for name in names}


def test_every_checkout_of_a_commit_gives_the_same_image(
    settings: Settings, layout: Layout, runner: Runner, environ: dict[str, str], tmp_path: Path
) -> None:
    folders = checkouts(tmp_path)
    digests, fingerprints = {}, set()
    for name, folder in folders.items():
        project = load(folder, environ)
        snapshot = take(project, runner)
        image = Image(
            settings=project,
            environment=project.environment("images"),
            runner=runner,
            sources=partial(take, project, runner),
            builder=LocalCloud(settings, layout, runner).build_command,
            base=lambda: "base",
            logins=Logins(settings=project, environment=project.environment("images"), runner=runner),
        )
        fingerprints.add((image.fingerprint("linux/amd64"), snapshot.revision))
        digests[name] = build(settings, layout, runner, snapshot.checkout())
    assert len(fingerprints) == 1
    assert digests == dict.fromkeys(folders, digests["project"])
    assert (folders["open"] / "application" / "app.py").stat().st_mode & 0o777 == 0o666
    assert build(settings, layout, runner, folders["open"]) != digests["open"], "modes on disk would be in the image"


def test_a_step_that_fails_is_shown(settings: Settings, layout: Layout, runner: Runner, context: Path) -> None:
    (context / "main.py").write_text("raise SystemExit('the reason')\n")
    with pytest.raises(CommandFailed) as problem:
        build(settings, layout, runner, context)
    assert "the reason" in problem.value.detail


def test_a_start_while_it_runs_changes_nothing(settings: Settings, layout: Layout, runner: Runner) -> None:
    before = json.loads((layout.run / "buildkit.pid").read_text())
    buildkit.start(settings, layout, runner)
    assert json.loads((layout.run / "buildkit.pid").read_text()) == before


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_nothing_is_left_of_a_daemon_that_ends_while_it_builds(
    settings: Settings, layout: Layout, runner: Runner, context: Path, end: str
) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    mark = f"{layout.id}-{end}-{time.time_ns()}"
    (context / "main.py").write_text("import sys, time\ntime.sleep(120 if sys.argv[1:] else 0)\n")
    (context / "Dockerfile").write_text(f"{DOCKERFILE}RUN /app/bin/python /main.py {mark}\n")
    contexts = base_image.contexts(settings, layout)
    overrides = [f"--opt=context:{name}=docker-image://{image}" for name, image in contexts.items()]
    command = change(
        str(BUILDKIT.path(settings, "buildctl")),
        f"--addr=unix://{layout.buildkit_socket}",
        f"--local=context={context}",
        f"--local=dockerfile={context}",
        *overrides,
        env={"DOCKER_CONFIG": str(layout.docker_config)},
    )
    client = runner.spawn(command, log=context.parent / f"{end}.log")
    try:
        wait_until(lambda: running(mark))
        assert cgroups(layout)
        if end == "kill":
            os.kill(json.loads((layout.run / "buildkit.pid").read_text())[0], signal.SIGKILL)
            wait_until(lambda: not running(mark))
            assert not buildkit.ready(layout)
        buildkit.stop(layout)
        assert not running(mark)
        assert marked(layout.id, "buildkit") == []
        assert Path("/proc/self/mounts").read_text() == mounts
        assert cgroups(layout) == []
        assert not layout.buildkit_socket.exists()
    finally:
        os.kill(client, signal.SIGKILL)
        buildkit.start(settings, layout, runner)
    assert buildkit.ready(layout)
    assert base_image.pushed(settings, layout)


def running(mark: str) -> bool:
    """Whether a Python with MARK among its arguments is running."""
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
