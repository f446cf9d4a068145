"""What a build starts from: the image itself where its registry answers, else Debian's Python of the same version."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import base_image
from localcloud.layout import Layout
from longshore.errors import Precondition
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings

DIGEST = "sha256:" + "c" * 64
NOWHERE = "127.0.0.1:1"  # a registry that refuses connections


def quiet(text: str, done: int | None = None, total: int | None = None) -> None:
    """Ignore progress."""


def settings(folder: Path, image: str) -> Settings:
    (folder / "longshore.toml").write_text(
        f'[project]\nname = "shop"\n[application]\nbase_image = "{image}"\n[environments.local.local]\n'
    )
    return load(folder, {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")})


@pytest.fixture
def registry() -> Iterator[str]:
    """A registry that has every image."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("python:3.11-slim-bookworm", "bookworm"),
        ("python:3.13-slim", "trixie"),
        ("docker.io/library/python:3.13.2-slim-trixie", "trixie"),
        ("python:3.14", "forky"),
    ],
)
def test_the_release_that_stands_in_has_the_same_python(image: str, name: str) -> None:
    assert base_image.release(image).name == name


@pytest.mark.parametrize(
    "image", ["python:3.12-slim", "python:3.9", "python:latest", "python:3", "node:22", "python:3.110"]
)
def test_another_python_has_no_stand_in(image: str) -> None:
    with pytest.raises(Precondition, match="its registry does not answer, and Debian has no such Python") as refused:
        base_image.release(image)
    assert "python:3.11, python:3.13, python:3.14" in refused.value.hint


@pytest.mark.skipif(not base_image._sources(), reason="this machine's apt names no Debian mirror")
def test_a_version_that_cannot_be_had_is_refused_at_once(tmp_path: Path) -> None:
    wanted = settings(tmp_path, f"{NOWHERE}/library/python:3.12-slim")
    assert not base_image.ready(wanted)
    with pytest.raises(Precondition, match=r"python:3\.12-slim cannot be had here"):
        base_image.start(wanted, Runner({}), quiet)


@pytest.mark.skipif(not base_image._sources(), reason="this machine's apt names no Debian mirror")
def test_an_image_whose_registry_answers_is_what_a_build_starts_from(registry: str, tmp_path: Path) -> None:
    image = f"{registry}/library/python:3.12-slim"
    wanted = settings(tmp_path, image)
    layout = Layout.of(wanted, wanted.environment("local"))
    assert base_image.start(wanted, Runner({}), quiet) == f"pulled: {DIGEST[-19:]}"
    assert base_image.ready(wanted)
    assert base_image.fingerprint(wanted) == f"{image}@{DIGEST}"
    assert base_image.contexts(wanted, layout) == {image: f"{image}@{DIGEST}"}


@pytest.mark.skipif(not base_image._sources(), reason="this machine's apt names no Debian mirror")
def test_what_was_pulled_once_stays_while_its_registry_is_away(tmp_path: Path, registry: str) -> None:
    image = f"{NOWHERE}/library/python:3.11-slim"
    wanted = settings(tmp_path, image)
    known = {image: {"digest": DIGEST, "asked": 0.0}}
    base_image.Memory(wanted.cache / "images").put("registry", **known)
    assert not base_image.ready(wanted), "a day later it is asked again"
    base_image.start(wanted, Runner({}), quiet)
    assert base_image.fingerprint(wanted) == f"{image}@{DIGEST}"


def test_a_registry_is_asked_once_a_day(tmp_path: Path, registry: str) -> None:
    wanted = settings(tmp_path, f"{registry}/python:3.13")
    base_image.start(wanted, Runner({}), quiet)
    assert base_image.ready(wanted)
