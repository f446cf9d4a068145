"""What an environment's world does when AWS's own variables hold rubbish."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from longshore import aws
from longshore.errors import Precondition
from longshore.files import Memory
from longshore.graph.steps import Values
from longshore.image.build import BuiltImage
from longshore.infra import record
from longshore.infra.outputs import Applied, Outputs, Slot
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.tasks import catalogue, local
from longshore.tasks.slot_world import SlotWorld
from longshore.tasks.world import World
from tests.unit.sources import snapshot_of

PARTS = ("network", "registry", "node", "aws", "buildkit", "base-image", "edge")
OUTPUTS = Outputs(
    url="https://shop.localhost:8443",
    repository_url="198.19.0.6:5001/shop",
    node_port=30080,
    cluster_name="shop-local",
    cluster_endpoint="https://198.19.0.6:6443",
    cluster_certificate_authority_data="",
    values={},
    host_names=("shop.localhost", "www.shop.localhost"),
)
SETTINGS = """
[project]
name = "shop"
[environments.production]
account = "222222222222"
[environments.local.local]
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "rubbish")
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    (tmp_path / "application").mkdir(exist_ok=True)
    (tmp_path / "Dockerfile").touch()
    settings = load(tmp_path, {"HOME": str(tmp_path)})
    return World(settings, "production", Runner(dict(os.environ)), lambda: snapshot_of(tmp_path))


def test_what_is_read_ahead_leaves_it_to_the_release_to_complain(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    before = set(threading.enumerate())
    world._build(
        context=tmp_path,
        dockerfile=tmp_path / "Dockerfile",
        folders={},
        name="app:1",
        metadata=tmp_path / "metadata.json",
        platform="linux/arm64",
        base="x",
        env={},
    )
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert failed == []


def test_a_copied_checkout_is_another_one_and_a_moved_one_is_not(tmp_path: Path) -> None:
    def checkout(folder: Path) -> str:
        settings = load(folder, {"HOME": str(tmp_path / "home")})
        return World(settings, "production", Runner({}), lambda: snapshot_of(folder))._checkout

    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "longshore.toml").write_text(SETTINGS)
    first = checkout(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    (tmp_path / "one").rename(tmp_path / "moved")
    assert checkout(tmp_path / "moved") == first
    assert checkout(tmp_path / "copy") != first


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A local environment that is not running; whoever connects to anything fails the test."""
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    (tmp_path / "application").mkdir(exist_ok=True)
    (tmp_path / "Dockerfile").touch()
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}

    def connect(_: object, address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr("socket.socket.connect", connect)
    return World(load(tmp_path, environ), "local", Runner(environ), lambda: snapshot_of(tmp_path))


def test_a_stopped_environment_is_a_missing_precondition(stopped: World) -> None:
    for ask in (lambda: stopped.cluster(OUTPUTS), stopped.outputs):
        with pytest.raises(Precondition, match="the environment local is not running") as caught:
            ask()
        assert caught.value.hint == "`invoke local.up -e local` starts it"


def test_a_release_in_a_stopped_environment_is_not_up_to_date_and_nobody_is_asked(stopped: World) -> None:
    values = Values()
    values.put("infra", Applied(fingerprint="", outputs=OUTPUTS))
    values.put("image", BuiltImage(repository="registry/shop", digest="sha256:0", fingerprint=""))
    assert stopped.released(values) is None


def test_an_image_of_a_stopped_environment_is_asked_of_nobody(stopped: World) -> None:
    credentials = Path(str(stopped.environment.aws_env["AWS_SHARED_CREDENTIALS_FILE"]))
    credentials.parent.mkdir(parents=True)
    credentials.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    values = Values()
    values.put("infra", Applied(fingerprint="", outputs=OUTPUTS))
    settled = catalogue.graph(stopped).steps["image"].settled
    assert settled
    assert settled(values) is None


def test_an_image_that_is_known_is_asked_of_nobody(stopped: World) -> None:
    place = stopped.place(OUTPUTS)
    known = BuiltImage(
        repository=place.repository, digest="sha256:1", fingerprint=stopped.image.fingerprint(place.platform)
    )
    Memory(stopped.infra.folder).put("image", **to_builtins(known))
    settled = catalogue.graph(stopped).steps["image"].settled
    values = Values()
    values.put("infra", Applied(fingerprint="", outputs=OUTPUTS))
    assert settled
    result = settled(values)
    assert result
    assert result.value == known
    moved = Values()
    moved.put("infra", Applied(fingerprint="", outputs=replace(OUTPUTS, repository_url="elsewhere/shop")))
    assert settled(moved) is None, "another repository does not have it"


def test_an_image_is_for_the_nodes_processor_and_locally_for_this_machines(world: World, stopped: World) -> None:
    assert world.place(OUTPUTS).platform == "linux/amd64"
    assert world.place(replace(OUTPUTS, node_architecture="arm64")).platform == "linux/arm64"
    assert stopped.place(OUTPUTS).platform == ""


def test_another_processor_is_another_image(stopped: World) -> None:
    assert len({stopped.image.fingerprint(platform) for platform in ("", "linux/amd64", "linux/arm64")}) == 3


def test_parts_of_a_stopped_environment_are_not_up_and_nobody_is_asked(stopped: World) -> None:
    assert stopped.local
    assert not [part.name for part in stopped.local.parts if part.name in PARTS and part.ready()]


def test_an_endpoint_that_is_no_address_is_a_missing_precondition(world: World) -> None:
    with pytest.raises(Precondition, match="Invalid endpoint: rubbish"):
        aws.guard_account(world.environment)


def test_a_guest_neither_starts_nor_stops_another_checkouts_environment(tmp_path: Path) -> None:
    for folder in (tmp_path / "mine", tmp_path / "theirs"):
        (folder / "application").mkdir(parents=True)
        (folder / "Dockerfile").touch()
        (folder / "longshore.toml").write_text(SETTINGS)
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}

    def at(folder: str, **more: str) -> World:
        root = tmp_path / folder
        return World(load(root, environ | more), "local", Runner(environ), lambda: snapshot_of(root))

    owner, guest = at("theirs"), at("mine", LONGSHORE_CHECKOUT=str(tmp_path / "theirs"))
    assert set(PARTS) <= set(catalogue.graph(owner, with_checks=False).steps)
    assert set(catalogue.graph(guest, with_checks=False).steps) == {"infra", "image", "release"}
    with pytest.raises(Precondition, match=f"local belongs to the checkout in {tmp_path}/theirs") as refused:
        local.require(guest)
    assert refused.value.hint == "run the command there; here it is used, and neither started nor stopped"
    assert local.require(owner) is owner.local


def test_a_release_to_a_slot_goes_there_and_takes_the_infrastructure_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = Slot(host_name="review-1.shop", url="https://review-1.shop", namespace="shop-review-1", node_port=30081)
    (tmp_path / "longshore.toml").write_text(f'{SETTINGS}[pipeline.review]\nenvironment = "production"\n')
    settings = load(tmp_path, {"HOME": str(tmp_path)})
    assert settings.pipeline.review
    world = SlotWorld(settings, Runner({}), lambda: snapshot_of(tmp_path), settings.pipeline.review, slot)
    record.remember(
        world.infra.memory, "", replace(OUTPUTS, review_slots=(slot,), review_repository_url="registry/review")
    )
    seen = world.outputs()
    assert (seen.url, seen.node_port, seen.host_names) == (slot.url, 30081, ("review-1.shop",))
    assert world.place(seen).repository == "registry/review"
    assert world.environment.namespace == "shop-review-1"
    assert world.infra.environment is settings.environment("production"), "whose state it is"
    assert list(catalogue.graph(world, with_checks=False, applies=False).steps) == ["infra", "image", "release"]


def test_nothing_is_released_to_a_slot_that_was_given_back_while_the_image_was_built(tmp_path: Path) -> None:
    slot = Slot(host_name="review-1.shop", url="https://review-1.shop", namespace="shop-review-1", node_port=30081)
    (tmp_path / "longshore.toml").write_text(f'{SETTINGS}[pipeline.review]\nenvironment = "production"\n')
    settings = load(tmp_path, {"HOME": str(tmp_path)})
    assert settings.pipeline.review
    answers = [False, True]
    world = SlotWorld(
        settings, Runner({}), lambda: snapshot_of(tmp_path), settings.pipeline.review, slot, held=answers.pop
    )
    still = world.site(OUTPUTS).still
    still()
    with pytest.raises(Precondition, match="is not this branch's any more"):
        still()


def test_a_worker_in_a_slot_has_a_minute_to_end_at_most(tmp_path: Path) -> None:
    """What ends a review environment waits for its pods, and nobody needs what they do."""
    slot = Slot(host_name="review-1.shop", url="https://review-1.shop", namespace="shop-review-1", node_port=30081)
    workers = "".join(
        f'[workloads.{name}]\nkind = "worker"\ncommand = ["rq"]\n{drain}\n'
        for name, drain in {"long": "drain = 3600", "short": "drain = 0", "unsaid": ""}.items()
    )
    (tmp_path / "longshore.toml").write_text(f'{SETTINGS}[pipeline.review]\nenvironment = "production"\n{workers}')
    settings = load(tmp_path, {"HOME": str(tmp_path)})
    assert settings.pipeline.review
    world = SlotWorld(settings, Runner({}), lambda: snapshot_of(tmp_path), settings.pipeline.review, slot)
    image = BuiltImage(repository="registry/review", digest="sha256:1", fingerprint="")
    assert [table.drain for _, table in world.target(OUTPUTS, image).workloads] == [60, 0, None]
