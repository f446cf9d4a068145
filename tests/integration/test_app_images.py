"""Images of applications that are not ours: built as they are, with what is added, and started from their own files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from localcloud import base_image, registry_login
from localcloud.build.programs import BUILDKIT
from localcloud.environment import LocalCloud
from localcloud.layout import Layout
from longshore.image.build import Image, Place
from longshore.image.logins import Logins
from longshore.image.registry import Reference, document
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings
from longshore.snapshot.take import take

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a daemon with mounts of its own needs root")

ROOT = Path(__file__).parents[2]
GUNICORN = ["gunicorn", "--bind=0.0.0.0:8000", "--workers=2", "--threads=8"]
OWN = ["FROM python:3.11-slim-bookworm"]
APPS: dict[str, tuple[dict[str, Any], list[str], str]] = {  # settings, what the image runs, what its page says
    "plain": ({"port": 8000}, [*GUNICORN, "app:app"], "hello"),
    "version": ({"port": 8000}, ["gunicorn", "--worker-class=gthread"], ""),
    "entrypoint": ({"port": 9000, "dockerfile": "Containerfile"}, ["./entrypoint.sh", "serve"], "from the factory"),
    "callable": ({"port": 8000}, ["waitress-serve", "--port=8000", "service:application"], "callable at /"),
    "asynchronous": ({"port": 8000}, ["uvicorn", "main:app"], '{"hello":"asynchronous"}'),
}


def quiet(text: str, done: int | None = None, total: int | None = None) -> None:
    """Ignore progress."""


def checkout(folder: Path, app: str, **application: Any) -> Path:
    """Return a repository of APP."""
    shutil.copytree(ROOT / "tests" / "apps" / app, folder)
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in application.items())
    (folder / "longshore.toml").write_text(
        f'[project]\nname = "probe"\n[application]\npath = "."\n{table}\n[environments.images]\n'
    )
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def built(
    settings: Settings, layout: Layout, environ: dict[str, str], runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], tuple[str, dict[str, Any]]]:
    """Return the reference and the configuration of the image of a checkout."""
    login = registry_login.headers(layout)["Authorization"].partition(" ")[2]
    monkeypatch.setattr(Logins, "ecr", login)

    def build(folder: Path) -> tuple[str, dict[str, Any]]:
        project = load(folder, environ)
        environment = project.environment("images")
        image = Image(
            settings=project,
            environment=environment,
            runner=runner,
            sources=partial(take, project, runner),
            builder=lambda *, base, **more: LocalCloud(settings, layout, runner).build_command(deadline=300.0, **more),
            base=lambda: "base",
            logins=Logins(settings=project, environment=environment, runner=runner),
        )
        made = image.provide(Place(repository=f"{layout.registry}/probe/{folder.name}"), quiet)
        host, _, name = made.repository.partition("/")
        reference = Reference(host=host, name=name, version=made.digest)
        manifest = document(reference, f"manifests/{made.digest}", login)
        config = document(reference, f"blobs/{manifest['config']['digest']}", login)["config"]
        return f"{made.repository}@{made.digest}", config

    return build


@pytest.fixture
def started(
    settings: Settings, layout: Layout, runner: Runner, tmp_path: Path
) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Start an image's command in its own files, as the user that it names."""
    processes = []

    def start(image: str, config: dict[str, Any]) -> None:
        files = tmp_path / "files"
        (tmp_path / "export").mkdir()
        (tmp_path / "export" / "Dockerfile").write_text(f"FROM {image}\n")
        buildctl = (str(BUILDKIT.path(settings, "buildctl")), f"--addr=unix://{layout.buildkit_socket}")
        # As one stream: `type=local` asks for each of 10,000 files, and was once seen to wait for ever.
        exported = subprocess.run(
            [
                *(*buildctl, f"--local=dockerfile={tmp_path / 'export'}"),
                *(f"--local=context={tmp_path / 'export'}", f"--output=type=tar,dest={tmp_path / 'files.tar'}"),
            ],
            env=os.environ | {"DOCKER_CONFIG": str(layout.docker_config)},
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert exported.returncode == 0, exported.stderr
        files.mkdir(mode=0o755)
        unpack = [
            "tar",
            "--extract",
            "--numeric-owner",
            "--file",
            str(tmp_path / "files.tar"),
            "--directory",
            str(files),
        ]
        subprocess.run(unpack, check=True)
        env = dict(pair.split("=", 1) for pair in config["Env"])
        user = config["User"].partition(":")[0]
        argv = [*(config.get("Entrypoint") or []), *config["Cmd"]]
        inside = ["sh", "-c", f'cd "{config["WorkingDir"]}" && exec "$@"', "sh", *argv]
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                ["chroot", f"--userspec={user}:{user}", str(files), *inside],
                env=env | {"REVISION": "one", "IMAGE_DIGEST": "sha256:one", "POD_NAME": "pod"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        processes.append(process)

    yield start
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if (tmp_path / "log").exists():
        print((tmp_path / "log").read_text())


def ask(port: int, path: str) -> str:
    end = time.monotonic() + 20
    while True:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"X-Forwarded-Proto": "https"})
            with urllib.request.urlopen(request, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("app", APPS)
def test_an_application_is_built_as_it_is_and_answers_probes_with_what_is_added(
    app: str, built: Callable[..., Any], started: Callable[..., None], tmp_path: Path
) -> None:
    options, runs, says = APPS[app]
    folder = checkout(tmp_path / app, app, **options)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    image, config = built(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    argv = [*(config.get("Entrypoint") or []), *config["Cmd"]]
    assert argv[: len(runs)] == runs or set(runs) <= set(argv)
    assert config["User"].partition(":")[0] == "10001"
    (path,) = (value for value in config["Env"] if value.startswith("PYTHONPATH="))
    assert path.startswith("PYTHONPATH=/opt/longshore")
    assert ("/srv" in path) == (app == "version"), "what the application put there stays"
    started(image, config)
    port = options["port"]
    assert ask(port, "/.longshore/livez") == "ok\n"
    assert json.loads(ask(port, "/.longshore/version")) == {"revision": "one", "digest": "sha256:one", "pod": "pod"}
    assert (says or "their page") in ask(port, "/")
    if app == "version":
        assert json.loads(ask(port, "/version")) == {"api": "3", "since": 2019}


def test_an_application_with_a_contract_of_its_own_gets_nothing_added(
    built: Callable[..., Any], tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "callable", "callable", contract="none")
    _, config = built(folder)
    assert not [value for value in config["Env"] if value.startswith("PYTHONPATH=")]


def test_an_edit_of_a_file_beside_the_code_is_another_image(built: Callable[..., Any], tmp_path: Path) -> None:
    folder = checkout(tmp_path / "plain", "plain")
    first, _ = built(folder)
    (folder / "config.py").write_text('GREETING = "other"\n')
    second, _ = built(folder)
    assert first != second


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.13", "3.14"])
def test_each_python_that_debian_has_stands_in_for_the_official_image(
    version: str, environ: dict[str, str], runner: Runner, tmp_path: Path
) -> None:
    (tmp_path / "longshore.toml").write_text(
        f'[project]\nname = "probe"\n[application]\nbase_image = "python:{version}-slim"\n[environments.images.local]\n'
    )
    settings = load(tmp_path, environ)
    base_image.start(settings, runner, quiet)
    assert base_image.ready(settings)
    files = tmp_path / "files"
    files.mkdir()
    subprocess.run(["tar", "-C", files, "-xf", base_image._archive(settings)], check=True)
    inside = ("chroot", files, "/usr/local/bin/python3")
    shown = subprocess.run([*inside, "-V"], check=True, capture_output=True, text=True).stdout
    assert shown.startswith(f"Python {version}.")
    subprocess.run([*inside, "-c", "import zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')"], check=True)
    subprocess.run([*inside, "-m", "pip", "--version"], check=True, capture_output=True)
    subprocess.run([*inside, "-c", "import ssl, sqlite3, venv"], check=True)
