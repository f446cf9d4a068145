"""What tests share: an environment that builds images, a local AWS, a cache for virtualenvs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import base_image, buildkit, packages, registry
from localcloud.build.programs import BUILDKIT
from localcloud.daemon import marked
from localcloud.layout import Layout
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings
from tests.integration.aws_process import AwsProcess

SETTINGS = """\
[project]
name = "probe"
[environments.images.local]
context = "none"
registry = "127.0.0.1:{port}"
node_address = "127.0.0.1"
"""


def quiet(text: str, done: int | None = None, total: int | None = None) -> None:
    """Ignore progress."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def environ(folder: Path) -> dict[str, str]:
    own = {"XDG_STATE_HOME": str(folder / "state"), "DOCKER_CONFIG": str(folder / "docker")}
    return os.environ | own  # with the user's own cache, which is warm


@pytest.fixture(scope="module")
def settings(folder: Path, environ: dict[str, str]) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "longshore.toml").write_text(SETTINGS.format(port=port))
    return load(folder, environ)


@pytest.fixture(scope="module")
def runner(environ: dict[str, str], folder: Path) -> Runner:
    return Runner(environ, log_dir=folder / "logs")


@pytest.fixture(scope="module")
def layout(settings: Settings, runner: Runner, folder: Path) -> Iterator[Layout]:
    """An environment whose registry and base image are up, and whose BuildKit runs."""
    layout = Layout.of(settings, settings.environment("images"))
    try:
        packages.start(settings, runner, quiet)
        registry.serve(layout, runner)
        BUILDKIT.start(settings, runner, quiet)
        base_image.start(settings, runner, quiet)
        buildkit.start(settings, layout, runner)
        base_image.push(settings, layout, runner, quiet)
        yield layout
    finally:
        buildkit.stop(layout)
        registry.stop(layout)
        shutil.rmtree(layout.run)
        assert marked(layout.id) == []


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache for the virtualenvs of tests; uv's is the user's, so little is fetched."""
    folder = tmp_path_factory.mktemp("cache")
    before = {name: os.environ.get(name) for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR")}
    uv = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    os.environ |= {"XDG_CACHE_HOME": str(folder), "UV_CACHE_DIR": uv}
    yield folder / "longshore/virtualenvs"
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsProcess]:
    """A local AWS of the module's own, as a process."""
    process = AwsProcess(tmp_path_factory.mktemp("aws") / "state")
    process.start()
    yield process
    process.end()
