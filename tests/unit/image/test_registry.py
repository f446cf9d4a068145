"""Questions to a registry: one that wants a password, one that sends to a token server, one that is ill."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from longshore.files import Memory
from longshore.image import registry
from longshore.image.base import FRESH, Base, pinned
from longshore.image.registry import HUB, Reference, Unreachable

LOGIN = base64.b64encode(b"AWS:password").decode()
DIGEST = f"sha256:{'1' * 64}"


def nobody(host: str) -> str:
    """Return no login."""
    return ""


class Handler(BaseHTTPRequestHandler):
    """A registry with the tag 3.11 of library/python; `token` is where it sends those without a token."""

    asked: list[str]
    kind: str

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        login = self.headers.get("Authorization") or ""
        if self.path.startswith("/token"):
            scope = parse_qs(urlsplit(self.path).query)["scope"]
            self._answer(200, json.dumps({"token": "-".join(scope)}).encode())
        elif self.kind == "bearer" and login != "Bearer repository:library/python:pull":
            host, port = self.server.server_address[:2]
            realm = f'realm="http://{host!s}:{port}/token",service="hub",scope="repository:library/python:pull"'
            self._answer(401, headers={"WWW-Authenticate": f"Bearer {realm}"})
        elif self.kind == "basic" and login != f"Basic {LOGIN}":
            self._answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        elif self.kind in ("ill", "dumb"):
            self._answer(500 if self.kind == "ill" else 200)
        else:
            known = self.path.endswith("/3.11")
            self._answer(200 if known else 404, headers={"Docker-Content-Digest": DIGEST} if known else {})

    def _answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server:
    def __init__(self, kind: str) -> None:
        self.asked: list[str] = []
        handler = type("Kind", (Handler,), {"asked": self.asked, "kind": kind})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def image(self, tag: str = "3.11") -> Reference:
        return Reference(host=self.host, name="library/python", version=tag)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(request.param)
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("python", (HUB, "library/python", "latest")),
        ("python:3.11", (HUB, "library/python", "3.11")),
        ("bitnami/python:3", (HUB, "bitnami/python", "3")),
        ("ghcr.io/me/app", ("ghcr.io", "me/app", "latest")),
        ("localhost/app:1", ("localhost", "app", "1")),
        ("registry:5000/a/b:1", ("registry:5000", "a/b", "1")),
        (f"python:3.11@{DIGEST}", (HUB, "library/python", DIGEST)),
    ],
)
def test_a_name_is_read_as_docker_reads_it(text: str, image: tuple[str, str, str]) -> None:
    host, name, version = image
    assert Reference.of(text) == Reference(host=host, name=name, version=version)


@pytest.mark.parametrize("server", ["basic"], indirect=True)
def test_a_tag_has_a_digest_or_is_not_there(server: Server) -> None:
    assert registry.digest(server.image(), LOGIN) == DIGEST
    assert registry.digest(server.image("other"), LOGIN) == ""


@pytest.mark.parametrize("server", ["bearer"], indirect=True)
def test_a_token_is_fetched_where_the_registry_says(server: Server) -> None:
    assert registry.digest(server.image()) == DIGEST
    assert [path.partition("?")[0] for path in server.asked] == [
        "/v2/library/python/manifests/3.11",
        "/token",
        "/v2/library/python/manifests/3.11",
    ]


@pytest.mark.parametrize(
    ("server", "why"),
    [("basic", "does not take this login"), ("ill", "answers 500"), ("dumb", "names no digest")],
    indirect=["server"],
)
def test_no_answer_is_not_taken_for_none(server: Server, why: str) -> None:
    with pytest.raises(Unreachable, match=why):
        registry.digest(server.image(), "bm9ib2R5")


def test_a_registry_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        registry.digest(Reference(host="127.0.0.1:9", name="app", version="1"))


@pytest.mark.parametrize("server", ["bearer"], indirect=True)
def test_the_base_is_known_by_its_digest_and_asked_for_once_a_day(server: Server, tmp_path: Path) -> None:
    name = f"{server.host}/library/python:3.11"
    assert Base(name, Memory(tmp_path), nobody)() == f"{name}@{DIGEST}"
    asked = len(server.asked)
    assert Base(name, Memory(tmp_path), nobody)() == f"{name}@{DIGEST}"
    assert len(server.asked) == asked
    Memory(tmp_path).put("base", image=name, digest="sha256:old", asked=time.time() - FRESH)
    assert Base(name, Memory(tmp_path), nobody)() == f"{name}@{DIGEST}"
    assert len(server.asked) > asked


@pytest.mark.parametrize("server", ["bearer"], indirect=True)
def test_the_base_of_an_image_that_a_job_was_handed_on_is_the_one_it_was_built_on(
    server: Server, tmp_path: Path
) -> None:
    name = f"{server.host}/library/python:3.11"
    Memory(tmp_path).put("image", base=f"{name}@sha256:built", at=time.time())
    assert Base(name, Memory(tmp_path), nobody)() == f"{name}@sha256:built"
    assert server.asked == []
    Memory(tmp_path).put("image", base=f"{name}@sha256:built", at=time.time() - FRESH)
    assert Base(name, Memory(tmp_path), nobody)() == f"{name}@{DIGEST}"


@pytest.mark.parametrize("server", ["ill"], indirect=True)
def test_a_base_that_nobody_can_be_asked_for_is_what_it_was(server: Server, tmp_path: Path) -> None:
    name = f"{server.host}/library/python:3.11"
    assert Base(name, Memory(tmp_path), nobody)() == name
    Memory(tmp_path).put("base", image=name, digest="sha256:old", asked=0)
    assert Base(name, Memory(tmp_path), nobody)() == f"{name}@sha256:old"


@pytest.mark.parametrize("server", ["bearer"], indirect=True)
def test_a_base_that_the_settings_pin_is_asked_of_nobody(server: Server, tmp_path: Path) -> None:
    assert Base(f"{server.host}/x@{DIGEST}", Memory(tmp_path), nobody)() == f"{server.host}/x@{DIGEST}"
    assert server.asked == []


def test_a_build_starts_from_the_base_that_the_tag_stands_for() -> None:
    assert pinned(f"python:3.11@{DIGEST}") == {"python:3.11": f"python:3.11@{DIGEST}"}
    assert pinned("python:3.11") == {}
