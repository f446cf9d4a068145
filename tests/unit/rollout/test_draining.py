"""Where nobody protects an environment, a release ends once it serves; old pods drain afterwards, and spoil nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import RolledBack
from longshore.process.command import Command
from longshore.process.runner import Result
from longshore.rollout import trial, watch
from longshore.rollout.attempt import ReleaseResult
from longshore.rollout.manifest import Manifest
from longshore.rollout.settled import settled
from longshore.rollout.verdict import Outcome, Verdict
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.sites import impatient, site_of
from tests.unit.rollout.things import Thing, app, hook, item, recorded, worker

FAILED, PASSED = (
    (Path(__file__).parents[2] / "data" / "reports" / f"junit-{name}.xml").read_text() for name in ("bad", "good")
)
SECONDS = 3.0  # that an old pod takes to end


class Misled(Kubectl):
    """Runs smoke tests that fail while an old pod may answer them."""

    def run(self, command: Command, **more: Any) -> Result:
        pods = [pod for (kind, _), pod in self.kubernetes.objects.items() if kind == "Pod"]
        self.junit = FAILED if any("deletionTimestamp" in pod["metadata"] for pod in pods) else PASSED
        return super().run(command, **more)


@pytest.fixture
def shop(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Shop:
    shop = Shop(kubernetes, kubectl, tmp_path)
    shop.release("one")
    kubernetes.drains = SECONDS
    return shop


def timed(shop: Shop, revision: str, *more: Thing, **hooks: Any) -> tuple[ReleaseResult, float]:
    began = time.monotonic()
    return shop.release(revision, *more, **hooks), time.monotonic() - began


def waits(shop: Shop) -> list[str]:
    return [step for step in shop.steps if "to drain" in step]


def test_a_release_ends_once_it_serves_and_says_what_drains(shop: Shop) -> None:
    result, took = timed(shop, "two")
    assert took < SECONDS
    assert result.draining == 2
    assert result.note == f"release 2: 2 of 2 replicas ready, verified at {shop.site.url}; 2 old pods are draining"
    assert waits(shop) == []


@pytest.mark.parametrize(("facts", "why"), [({"protected": True}, "as local is protected"), ({"bake": 0.1}, "bake")])
def test_where_something_depends_on_it_the_release_waits_and_says_for_what(
    shop: Shop, facts: dict[str, Any], why: str
) -> None:
    site = site_of(shop.kubernetes, shop.kubectl, shop.folder, settings=facts)
    text = Manifest(rolled_out=(app("two"),)).text
    release = recorded(2, text, revision="two")
    verdict = trial.settle(site, release, lambda said, *_: shop.steps.append(said), new=True)
    assert (verdict.outcome, verdict.draining) == (Outcome.GOOD, 0)
    assert waits(shop)[0].startswith("waiting for 2 old pods to drain, ")
    assert why in waits(shop)[0]


def test_a_way_back_waits_until_nothing_of_the_bad_release_answers(shop: Shop) -> None:
    shop.site = impatient(shop.site)
    shop.kubernetes.unserved = {"two"}
    with pytest.raises(RolledBack):
        shop.release("two")
    assert waits(shop)[-1].endswith("so that nothing else answers any more")


def test_hooks_that_follow_run_once_no_old_pod_is_left(shop: Shop) -> None:
    timed(shop, "two", after=(hook("contract", "after"),))
    assert waits(shop)[0].endswith("before the hooks that follow")


def test_what_old_pods_may_still_ask_is_deleted_once_they_are_gone(shop: Shop) -> None:
    shop.kubernetes.drains = 0
    shop.release("two", worker("two", "backend"), item("ConfigMap", "old"))
    shop.kubernetes.drains = SECONDS
    result, took = timed(shop, "three", worker("three", "backend"))
    assert (result.deleted, took < SECONDS) == (("configmap/old",), True), "a pod that runs has read it"
    time.sleep(SECONDS)
    result, took = timed(shop, "four")
    assert result.deleted == ("deployment/backend",)
    assert took > SECONDS
    assert waits(shop)[0].endswith("before what they may still use is deleted")


def test_an_old_pods_answer_fails_no_smoke_test_of_the_release(shop: Shop, kubernetes: Kubernetes) -> None:
    (shop.folder / "sources" / "tests" / "smoke").mkdir(parents=True)
    shop.kubectl = Misled(kubernetes)
    shop.site = site_of(kubernetes, shop.kubectl, shop.folder)
    assert timed(shop, "two")[0].draining == 0
    assert waits(shop)[0].endswith("since one of them may have answered")


def test_old_pods_that_go_on_answering_do_not_make_a_release_unserved(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "HASTE", 0.3)
    shop.kubernetes.lingers = True  # every second answer is an old pod's, for longer than a verification may take
    assert timed(shop, "two")[0].draining == 0


def test_a_release_that_fails_its_smoke_tests_fails_when_old_pods_are_gone(shop: Shop) -> None:
    (shop.folder / "sources" / "tests" / "smoke").mkdir(parents=True)
    shop.kubectl.junit = FAILED
    with pytest.raises(RolledBack, match="the smoke tests fail"):
        shop.release("two")


def test_the_next_release_and_the_way_back_are_right_while_old_pods_drain(shop: Shop) -> None:
    assert [timed(shop, revision)[0].draining for revision in ("two", "three")] == [2, 4]
    shop.kubernetes.crashes = {"four"}
    with pytest.raises(RolledBack, match="rolled back to release 3"):
        shop.release("four")
    verdicts = [verdict for _, _, verdict in shop.records()]
    assert verdicts == ["rolled back", "good", "good", "good"]
    assert shop.revision == "three"


def test_there_is_nothing_to_do_while_old_pods_drain(shop: Shop) -> None:
    timed(shop, "two")
    target = recorded(2, revision="two")
    manifest = Manifest(rolled_out=(app("two"),), mark="two")
    assert settled(shop.site, manifest, target) == "already serving, 2 of 2 replicas ready"  # type: ignore[arg-type]


def test_the_number_of_draining_pods_is_there_for_who_looks(shop: Shop) -> None:
    timed(shop, "two")
    manifest = Manifest(rolled_out=(app("two"),))
    api = watch.Api(shop.site.cluster, shop.kubectl)
    assert watch.look(api, manifest.workloads).draining == 2
    assert Verdict(Outcome.GOOD, "").draining == 0
