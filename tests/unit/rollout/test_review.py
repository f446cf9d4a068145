"""The end of a review environment: all that its releases made, however often the end is cut off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from longshore.commands import kubectl as commands
from longshore.errors import LockHeld, Precondition
from longshore.infra.outputs import Slot
from longshore.kubernetes.api import Api
from longshore.rollout import release, review, slots
from longshore.rollout.manifest import Manifest
from longshore.rollout.slots import Board, Claim
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import app, hook, item

SLOT = Slot(host_name="review-1.shop", url="https://review-1.shop", namespace="shop", node_port=30081)


class Slotted(Shop):
    """A slot with a branch's release in it."""

    def __init__(self, kubernetes: Kubernetes, kubectl: Kubectl, folder: Path) -> None:
        super().__init__(kubernetes, kubectl, folder)
        self.board = Board(Api(self.site.cluster, kubectl), [SLOT])
        self.take()

    def take(self) -> None:
        self.board.take(Claim(label="work", branch="work", until=slots.now(1)))

    def end(self, label: str = "work") -> bool:
        return review.end(self.site, self.board, SLOT, lambda claim: claim.label == label, lambda *_: None)

    @property
    def left(self) -> set[tuple[str, str]]:
        return {key for key in self.kubernetes.objects if key != ("Lease", "longshore-release")}


@pytest.fixture
def slotted(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Slotted:
    return Slotted(kubernetes, kubectl, tmp_path)


def test_an_end_leaves_nothing_of_any_release(slotted: Slotted) -> None:
    slotted.release("1", item("ConfigMap", "first"), before=(hook(),))
    slotted.release("2", item("ConfigMap", "second"))
    assert slotted.end()
    assert slotted.left == set()


def test_what_nobody_has_is_ended_already(slotted: Slotted) -> None:
    assert slotted.end()
    assert not slotted.end()


def test_another_branchs_stays(slotted: Slotted) -> None:
    slotted.release("1")
    before = slotted.left
    assert not slotted.end("other")
    assert slotted.left == before


@pytest.mark.parametrize("cut", range(1, 4))
def test_an_end_that_is_cut_off_is_resumed_by_the_next(slotted: Slotted, cut: int, monkeypatch: Any) -> None:
    slotted.release("1", item("ConfigMap", "first"))
    steps = {1: (commands, "delete_whole"), 2: (commands, "delete_objects"), 3: (slotted.board, "free")}

    def killed(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*steps[cut], killed)
        with pytest.raises(KeyboardInterrupt):
            slotted.end()
    assert ("Lease", slots.NAME) in slotted.left, "nobody else gets the slot meanwhile"
    assert slotted.end()
    assert slotted.left == set()


def test_what_is_deployed_anew_meanwhile_keeps_its_slot(slotted: Slotted) -> None:
    slotted.release("1")
    free = slotted.board.free
    slotted.board.free = lambda slot, claim: (slotted.take(), free(slot, claim))[1]  # type: ignore[method-assign]
    with pytest.raises(LockHeld, match="deployed anew"):
        slotted.end()
    assert ("Lease", slots.NAME) in slotted.left


def test_an_end_waits_for_a_release_that_is_under_way(slotted: Slotted) -> None:
    slotted.release("1")
    lease = slotted.kubernetes.get("Lease", "longshore-release")
    slotted.kubernetes.put({**lease, "spec": {**lease["spec"], "holderIdentity": "ann@laptop/1"}})
    slotted.site = replace(slotted.site, checkout="another")
    before = slotted.left
    with pytest.raises(LockHeld, match="ann@laptop/1"):
        slotted.end()
    assert slotted.left == before


def test_what_waited_until_its_slot_had_ended_is_not_released_there(slotted: Slotted, monkeypatch: Any) -> None:
    """Else it would run in a slot that nobody has, so nobody would end it."""

    def still() -> None:
        if not slotted.board.of("work"):
            raise Precondition("it is not this branch's any more")

    leased, waiting = release.leased, [True]

    @contextlib.contextmanager
    def second(*given: Any) -> Iterator[None]:
        if waiting and waiting.pop():
            assert slotted.end(), "it was faster"
        with leased(*given):
            yield

    slotted.release("1")
    slotted.site = replace(slotted.site, still=still)
    monkeypatch.setattr(release, "leased", second)
    with pytest.raises(Precondition, match="any more"):
        slotted.release("2")
    assert slotted.left == set()


def test_a_slot_is_prepared_with_its_rights_and_bounds(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    site = site_of(kubernetes, kubectl, tmp_path)
    rights = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},)
    review.prepare(site, Manifest(rights=rights, rolled_out=(app("1"),)))
    assert set(kubernetes.objects) == {("Namespace", "shop"), ("ResourceQuota", "longshore-review")}
    kubectl.forbidden = True
    kubernetes.drop("Namespace", "shop")
    with pytest.raises(Precondition, match="may not change it"):
        review.prepare(site, Manifest(rights=rights, rolled_out=(app("1"),)))
