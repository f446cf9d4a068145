"""Canaries that outlive their run, or would: who takes them back, and who is told."""

from __future__ import annotations

import copy

import pytest

from longshore.errors import Interrupted, Precondition, StateUnknown
from longshore.rollout import barepods, canary, meter, records
from longshore.rollout.canary import Left
from longshore.rollout.manifest import Manifest
from longshore.rollout.settled import settled
from tests.unit.rollout.canaries import LABEL, Shop
from tests.unit.rollout.things import MIGRATION, app, item


@pytest.fixture
def shop(canary_shop: Shop) -> Shop:
    return canary_shop


def test_status_tells_of_one_that_is_under_way(shop: Shop) -> None:
    api = meter.Api(shop.site.cluster, shop.kubectl)
    assert barepods.under_way(api) == ""
    pod = item("Pod", "app-canary-2-1", status={"phase": "Running"}, spec={"activeDeadlineSeconds": 600})
    pod["metadata"] |= {"labels": {LABEL: "2"}, "creationTimestamp": "2026-01-01T10:00:00Z"}
    shop.kubernetes.put(pod)
    said = barepods.under_way(api)
    assert said.startswith("release 2, app-canary-2-1 since 10:00:00 UTC; ")
    assert said.endswith("or it ends by itself at 10:10 UTC")
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T10:01:00Z"
    assert barepods.under_way(api) == ""


def test_an_interrupted_run_takes_it_back(shop: Shop) -> None:
    shop.set(bake=20.0)
    thread = shop.while_it_serves(lambda: shop.kubectl.cancellation._note(15, None))
    with pytest.raises(Interrupted):
        shop.release("two")
    thread.join()
    assert shop.pods
    assert shop.left() == []


def test_a_run_that_lost_its_lease_takes_it_back(shop: Shop) -> None:
    def taken() -> None:
        lease = copy.deepcopy(shop.kubernetes.get("Lease", "longshore-release"))
        lease["spec"]["holderIdentity"] = "another"
        shop.kubernetes.put(lease)

    shop.set(bake=20.0)
    thread = shop.while_it_serves(taken)
    with pytest.raises(StateUnknown, match="is now held by another"):
        shop.release("two")
    thread.join()
    assert shop.left() == []


def test_what_a_killed_run_left_is_deleted_by_the_next_one_which_converges(shop: Shop) -> None:
    left = item("Pod", "app-canary-2-1")
    left["metadata"]["labels"] = {LABEL: "2"}
    shop.kubernetes.apply({**left, "spec": app("two")["spec"]["template"]["spec"]})
    shop.release("two")
    assert shop.left() == []
    assert shop.steps.index("deleting the canary that an earlier run left behind") < len(shop.steps) - 1


def test_what_a_killed_run_left_goes_even_where_the_next_release_is_refused(shop: Shop) -> None:
    left = item("Pod", "app-canary-2-1")
    left["metadata"]["labels"] = {LABEL: "2"}
    shop.kubernetes.apply({**left, "spec": app("two")["spec"]["template"]["spec"]})
    shop.kubernetes.full = 'pods "app-canary" is forbidden: exceeded quota: small'
    with pytest.raises(Precondition):
        shop.release("two")
    assert shop.left() == []


def test_there_is_something_to_do_while_a_canary_is_left(shop: Shop) -> None:
    target = records.history(shop.site.cluster, shop.kubectl)[0]
    manifest = Manifest.parse(target.manifest, mark="one")
    assert settled(shop.site, manifest, target)  # type: ignore[arg-type]
    left = item("Pod", "app-canary-2-1")
    left["metadata"]["labels"] = {LABEL: "2"}
    shop.kubernetes.apply({**left, "spec": app("two")["spec"]["template"]["spec"]})
    assert settled(shop.site, manifest, target) is None  # type: ignore[arg-type]


def test_one_that_cannot_be_deleted_is_a_state_that_somebody_has_to_look_at(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "DRAIN", 0.2)
    shop.kubernetes.behaves["two"].fails = 5
    shop.kubernetes.stuck = True
    with pytest.raises(Left, match=r"the canary may still take requests: .*% of its") as failed:
        shop.release("two")
    assert failed.value.exit_code == 7
    assert records.history(shop.site.cluster, shop.kubectl)[0].verdict == "failed"


def test_after_an_irreversible_migration_a_person_must_look(shop: Shop) -> None:
    shop.kubernetes.behaves["two"].fails = 5
    with pytest.raises(StateUnknown, match="the canary was taken back after an irreversible migration: "):
        shop.release("two", before=(MIGRATION,))
    assert shop.left() == []
