"""Images from one registry to another, both as the local environment runs them and ECR would refuse."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localcloud import readers, registry, registry_login
from localcloud.daemon import marked
from localcloud.layout import Layout
from longshore.errors import StepFailed
from longshore.image import registry as api
from longshore.image.build import BuiltImage, Place
from longshore.image.registry import Reference, Unreachable
from longshore.process.runner import Runner
from longshore.rollout.promotion import Promotion, Verified
from longshore.settings.load import load

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a daemon with an account of its own needs root")

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TAG, OTHER = "1" * 16, "2" * 16
SETTINGS = """\
[project]
name = "probe"
[environments.{name}.local]
context = "none"
registry = "127.0.0.1:{port}"
node_address = "127.0.0.1"
"""


class Login:
    """The login of an environment's registry, as `Logins` has it."""

    def __init__(self, layout: Layout) -> None:
        self.ecr = registry_login.token(layout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Layout, Layout]]:
    """The registries of two environments that know nothing of each other."""
    found = []
    try:
        for name in ("staging", "live"):
            folder = tmp_path_factory.mktemp(name)
            environ = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "DOCKER_CONFIG": str(folder / "docker")}
            (folder / "longshore.toml").write_text(SETTINGS.format(name=name, port=free_port()))
            settings = load(folder, environ)
            found.append(Layout.of(settings, settings.environment(name)))
            registry.serve(found[-1], Runner(environ, log_dir=folder / "logs"))
        yield found[0], found[1]
    finally:
        for layout in found:
            registry.stop(layout)
            shutil.rmtree(layout.run)
            assert marked(layout.id) == []


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def send(layout: Layout, path: str, method: str, body: bytes = b"", kind: str = "") -> str:
    """Send a request to the registry as its own user; return where it says that something is."""
    headers = registry_login.headers(layout) | ({"Content-Type": kind} if kind else {})
    with contextlib.closing(http.client.HTTPConnection(layout.registry, timeout=30)) as client:
        client.request(method, path, body, headers)
        answer = client.getresponse()
        assert answer.status in (200, 201, 202), answer.read()
        return str(answer.headers.get("Location") or "")


def push(layout: Layout, name: str, tag: str, *layers: bytes) -> str:
    """Push an index with one image of LAYERS, as a builder does; return its digest."""
    described = []
    for blob in (json.dumps({"history": []}).encode(), *layers):
        place = send(layout, f"/v2/{name}/blobs/uploads/", "POST")
        send(layout, f"{place}&digest={digest(blob)}", "PUT", blob)
        described.append({"mediaType": "application/octet-stream", "digest": digest(blob), "size": len(blob)})
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]})
    send(layout, f"/v2/{name}/manifests/{digest(manifest.encode())}", "PUT", manifest.encode(), MANIFEST)
    entry = {
        "mediaType": MANIFEST,
        "digest": digest(manifest.encode()),
        "size": len(manifest),
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    send(layout, f"/v2/{name}/manifests/{tag}", "PUT", index, INDEX)
    return digest(index)


class Sides:
    """Two registries, and what is promoted from the first to the second."""

    def __init__(self, layouts: tuple[Layout, Layout], name: str) -> None:
        self.source, self.target = layouts
        self.name = name
        self.place = Place(repository=f"{self.target.registry}/{name}")
        self.said: list[tuple[Any, ...]] = []

    def promotion(self, version: str, tag: str = TAG) -> Promotion:
        verified = Verified(
            environment="staging",
            number=1,
            repository=f"{self.source.registry}/{self.name}",
            digest=version,
            revision="1" * 12,
            tag=tag,
        )
        return Promotion(verified=verified, logins=Login(self.source))  # type: ignore[arg-type]

    def copy(self, promotion: Promotion) -> BuiltImage:
        login = registry_login.token(self.target)
        return promotion.copy(self.place, login, lambda seconds: None, lambda *said: self.said.append(said))

    def held(self, version: str) -> str:
        """Return the digest of what the target holds as VERSION."""
        return api.digest(Reference.at(self.place.repository, version), registry_login.token(self.target))


@pytest.fixture
def sides(layouts: tuple[Layout, Layout], request: pytest.FixtureRequest) -> Sides:
    return Sides(layouts, f"shop/{request.node.originalname.replace('_', '-')}")


def readable(image: Reference, login: str) -> bool:
    try:
        return bool(api.digest(image, login))
    except Unreachable:
        return False


def test_what_a_killed_run_left_lets_nobody_read_once_the_registry_has_started_again(sides: Sides) -> None:
    image = Reference.at(f"{sides.source.registry}/{sides.name}", push(sides.source, sides.name, TAG, b"left"))
    killed = readers.reading(sides.source, sides.target)
    killed.__enter__()
    registry.stop(sides.source)
    registry.serve(sides.source, Runner(os.environ))
    assert readable(image, registry_login.token(sides.source))
    assert not readable(image, registry_login.token(sides.target))


def test_another_environments_login_reads_while_that_lasts_and_never_writes(sides: Sides) -> None:
    version = push(sides.source, sides.name, TAG, b"read by another")
    image = Reference.at(f"{sides.source.registry}/{sides.name}", version)
    login = registry_login.token(sides.target)

    def reads() -> bool:
        return readable(image, login)

    def writes() -> bool:
        try:
            with api.answering(image, "blobs/uploads/", login, method="POST", body=b""):
                return True
        except Unreachable:
            return False

    def settles(wanted: bool) -> bool:
        """Whether a reload leads to what is WANTED; a worker from before it may take another request or two."""
        row, end = 0, time.monotonic() + 60
        while row < 10 and time.monotonic() < end:
            row = row + 1 if reads() is wanted else 0
            time.sleep(0.02)
        return row == 10

    assert not reads()
    with readers.reading(sides.source, sides.target):
        assert settles(True)
        assert not writes()
    assert settles(False)


def test_the_digest_is_equal_in_both_registries(sides: Sides) -> None:
    layer = os.urandom(24 << 20)
    version = push(sides.source, sides.name, TAG, layer, b"small")
    copied = sides.copy(sides.promotion(version))
    assert (copied.digest, copied.repository, copied.fingerprint) == (version, sides.place.repository, TAG)
    assert sides.held(TAG) == sides.held(version) == version
    assert sides.said[-1] == ("copying layers (MB)", 24, 24)
    reference = Reference.at(sides.place.repository, version)
    with api.answering(reference, f"blobs/{digest(layer)}", registry_login.token(sides.target)) as answer:
        assert answer.read() == layer


def test_a_repeated_promotion_sends_nothing(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = sides.promotion(push(sides.source, sides.name, TAG, b"layer"))
    login = registry_login.token(sides.target)
    assert promotion.find(sides.place, login) is None
    first = sides.copy(promotion)
    assert promotion.find(sides.place, login) == first
    methods = watched(monkeypatch)
    assert sides.copy(promotion) == first
    assert set(methods) == {"HEAD"}


def test_layers_of_an_earlier_image_are_not_sent_again(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    sides.copy(sides.promotion(push(sides.source, sides.name, TAG, b"base", b"one")))
    methods = watched(monkeypatch)
    second = push(sides.source, sides.name, OTHER, b"base", b"two")
    sides.copy(sides.promotion(second, OTHER))
    assert methods.count("POST") == 1, "one layer is new"
    assert sides.held(OTHER) == second


def test_a_tag_that_the_target_gave_to_another_image_keeps_it(sides: Sides) -> None:
    version = push(sides.source, sides.name, TAG, b"layer")
    own = push(sides.target, sides.name, TAG, b"another layer")
    copied = sides.copy(sides.promotion(version))
    assert sides.held(TAG) == own
    assert sides.held(version[7:23]) == version == copied.digest


def test_what_the_source_no_longer_has_is_not_promoted(sides: Sides) -> None:
    gone = digest(b"gone")
    with pytest.raises(StepFailed, match=f"cannot be copied: .* no longer has {gone}") as refusal:
        sides.copy(sides.promotion(gone))
    assert "nothing that serves was changed" in refusal.value.hint


def test_a_login_of_another_registry_is_refused(sides: Sides) -> None:
    version = push(sides.source, sides.name, TAG, b"layer")
    sides.promotion(version)
    with pytest.raises(StepFailed, match="does not take this login"):
        sides.promotion(version).copy(
            sides.place, registry_login.token(sides.source), lambda seconds: None, lambda *_: None
        )


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the methods of the requests that we send from now on."""
    methods: list[str] = []
    opened: Callable[..., Any] = api._open

    def open_and_note(*args: Any, method: str = "GET", **options: Any) -> Any:
        methods.append(method)
        return opened(*args, method=method, **options)

    monkeypatch.setattr(api, "_open", open_and_note)
    return methods
