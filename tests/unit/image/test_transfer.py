"""Images from one registry to another: what is sent, what is not, and what is never taken."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from longshore.image import transfer
from longshore.image.registry import Reference, Unreachable
from longshore.image.transfer import Transfer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


class Registry:
    """A registry: blobs and manifests by name; `asked` are the requests, the next `breaks` blobs end too early."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.asked: list[str] = []
        self.breaks = 0
        self.mounts = False
        handler = type("Bound", (Handler,), {"registry": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.host = f"127.0.0.1:{self.http.server_address[1]}"

    def add(self, *layers: bytes, listed: bool = False) -> str:
        """Add an image of LAYERS, LISTED in an index; return its digest."""
        blobs = [b'{"history":[]}', *layers]
        for blob in blobs:
            self.blobs[digest(blob)] = blob
        config, *rest = ({"digest": digest(blob), "size": len(blob)} for blob in blobs)
        found = self._put({"config": config, "layers": rest}, MANIFEST)
        return self._put({"manifests": [{"digest": found}]}, INDEX) if listed else found

    def _put(self, document: dict[str, Any], kind: str) -> str:
        raw = json.dumps(document).encode()
        self.manifests[digest(raw)] = (raw, kind)
        return digest(raw)

    def sent(self) -> list[str]:
        """Return the uploads that were asked for."""
        return [line for line in self.asked if line.startswith(("POST", "PUT"))]


class Handler(BaseHTTPRequestHandler):
    registry: Registry

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        _, _, kind, version = self._asked()
        found = self.registry.blobs.get(version) if kind == "blobs" else None
        content_type = "application/octet-stream"
        if kind == "manifests" and version in self.registry.manifests:
            found, content_type = self.registry.manifests[version]
        if kind == "tags":
            found = json.dumps({"tags": [name for name in self.registry.manifests if ":" not in name]}).encode()
        if found is None:
            self._answer(404)
            return
        short = kind == "blobs" and self.command == "GET" and self.registry.breaks > 0
        self.registry.breaks -= short
        headers = {"Docker-Content-Digest": digest(found), "Content-Type": content_type}
        self._answer(200, found[: len(found) // 2] if short else found, headers, len(found))

    def do_POST(self) -> None:
        self._asked()
        if self.registry.mounts and "mount=" in self.path:
            self._answer(201)
        else:
            self._answer(202, headers={"Location": "/v2/shop/blobs/uploads/1?_state=x"})

    def do_PUT(self) -> None:
        _, _, kind, version = self._asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) < int(self.headers["Content-Length"]):
            return
        if kind == "blobs":
            self.registry.blobs[self.path.partition("digest=")[2]] = body
        elif ":" not in version and version in self.registry.manifests:
            self._answer(400, json.dumps({"errors": [{"message": f"{version} already exists"}]}).encode())
            return
        else:
            entry = (body, self.headers["Content-Type"])
            self.registry.manifests |= {version: entry, digest(body): entry}
        self._answer(201)

    def _asked(self) -> list[str]:
        self.registry.asked.append(f"{self.command} {self.path}")
        return self.path.partition("?")[0].strip("/").split("/")[:4]

    def _answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None, length: int = -1) -> None:
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def source() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.http.shutdown()
    registry.http.server_close()


@pytest.fixture
def target() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.http.shutdown()
    registry.http.server_close()


def quiet(text: str, done: int | None = None, total: int | None = None) -> None:
    """Ignore progress."""


def copy(source: Registry, target: Registry, version: str, tag: str = "tag") -> None:
    Transfer(
        source=Reference(host=source.host, name="shop", version=version),
        target=Reference(host=target.host, name="shop", version=tag),
        source_login="",
        target_login="",
        pause=lambda seconds: None,
    ).run(quiet)


@pytest.mark.parametrize("listed", [False, True])
def test_an_image_is_copied_whole_under_the_same_digest(source: Registry, target: Registry, listed: bool) -> None:
    version = source.add(b"one" * 1000000, b"two", listed=listed)
    copy(source, target, version)
    assert target.blobs == source.blobs
    assert target.manifests["tag"] == target.manifests[version] == source.manifests[version]
    assert target.manifests.keys() - {"tag"} == source.manifests.keys()


def test_what_is_there_already_is_not_sent_again(source: Registry, target: Registry) -> None:
    version = source.add(b"one", b"two")
    target.blobs[digest(b"one")] = b"one"
    copy(source, target, version)
    assert f"GET /v2/shop/blobs/{digest(b'one')}" not in source.asked
    assert len(target.sent()) == 5  # two each for the configuration and for the other layer, and the manifest


def test_a_layer_that_breaks_off_is_begun_anew(source: Registry, target: Registry) -> None:
    version = source.add(b"one" * 100000)
    source.breaks = 2
    copy(source, target, version)
    assert target.blobs == source.blobs


def test_a_repeated_run_goes_on_where_one_ended(source: Registry, target: Registry) -> None:
    version = source.add(b"one" * 100000, b"two" * 100000)
    del source.blobs[digest(b"two" * 100000)]
    with pytest.raises(Unreachable, match="no longer has sha256"):
        copy(source, target, version)
    assert "tag" not in target.manifests
    source.blobs[digest(b"two" * 100000)] = b"two" * 100000
    source.asked.clear()
    copy(source, target, version)
    assert [line for line in source.asked if "/blobs/" in line] == [f"GET /v2/shop/blobs/{digest(b'two' * 100000)}"]


def test_another_content_under_the_digest_is_never_taken(source: Registry, target: Registry) -> None:
    version = source.add(b"one" * 100000)
    source.blobs[digest(b"one" * 100000)] = b"two" * 100000
    with pytest.raises(Unreachable, match="is another content"):
        copy(source, target, version)
    assert b"two" * 100000 not in target.blobs.values()
    assert target.manifests == {}


def test_another_manifest_under_the_digest_is_never_taken(source: Registry, target: Registry) -> None:
    version = source.add(b"one")
    raw, kind = source.manifests[version]
    source.manifests[version] = (raw + b" ", kind)
    with pytest.raises(Unreachable, match="another content"):
        copy(source, target, version)
    assert target.sent() == []


def test_what_is_no_image_is_not_copied(source: Registry, target: Registry) -> None:
    for content in (b"[]", b"{", b'{"layers":[{"digest":1}]}', b'{"layers":"x"}'):
        source.manifests[digest(content)] = (content, MANIFEST)
        with pytest.raises(Unreachable, match="is no image"):
            copy(source, target, digest(content))
    assert target.sent() == []


def test_within_one_registry_layers_are_mounted(source: Registry) -> None:
    version = source.add(b"one", b"two")
    source.blobs = dict(source.blobs)
    transferred = Transfer(
        source=Reference(host=source.host, name="shop", version=version),
        target=Reference(host=source.host, name="other", version="tag"),
        source_login="",
        target_login="",
        pause=lambda seconds: None,
    )
    source.mounts = True
    assert transferred._opened(digest(b"one")) == ""
    assert source.sent() == [f"POST /v2/other/blobs/uploads/?mount={digest(b'one')}&from=shop"]


def test_a_refusal_is_told_in_the_registrys_own_words(source: Registry, target: Registry) -> None:
    version, other = source.add(b"one"), target.add(b"two")
    target.manifests["tag"] = target.manifests[other]
    with pytest.raises(Unreachable, match="tag already exists"):
        copy(source, target, version)


def test_who_was_faster_with_the_same_is_right(source: Registry, target: Registry) -> None:
    version = source.add(b"one")
    copy(source, target, version)
    copy(source, target, version)
    assert target.manifests["tag"] == source.manifests[version]


def test_a_tag_that_another_image_has_is_left_to_it(source: Registry, target: Registry) -> None:
    version, other = source.add(b"one"), target.add(b"two")
    image = Reference(host=target.host, name="shop", version=version)
    assert transfer.free_tag(image, "tag", "") == ("tag", False)
    target.manifests["tag"] = target.manifests[other]
    assert transfer.free_tag(image, "tag", "") == (version[7:23], False)
    target.manifests["tag"] = target.manifests[version[7:23]] = source.manifests[version]
    assert transfer.free_tag(image, "tag", "") == ("tag", True)
    target.manifests["tag"] = target.manifests[version[7:23]] = target.manifests[other]
    with pytest.raises(Unreachable, match="other images under the tags"):
        transfer.free_tag(image, "tag", "")


def test_a_digest_is_found_by_its_tag(source: Registry) -> None:
    version, other = source.add(b"one"), source.add(b"two")
    source.manifests |= {"a": source.manifests[other], "b": source.manifests[version]}
    image = Reference(host=source.host, name="shop", version=version)
    assert transfer.tag_of(image, "") == "b"
    assert transfer.tag_of(Reference(host=source.host, name="shop", version=digest(b"x")), "") == ""
