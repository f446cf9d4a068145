"""A share of a release takes traffic beside the old pods, which are not touched; if it does worse it is taken back."""

from __future__ import annotations

import re

import pytest

from longshore.errors import Precondition
from longshore.rollout import records
from longshore.rollout.release import return_to
from tests.unit.rollout.canaries import LABEL, Shop
from tests.unit.rollout.things import Thing, hook, item, served, worker


@pytest.fixture
def shop(canary_shop: Shop) -> Shop:
    return canary_shop


def test_a_good_canary_is_followed_by_the_rest_and_its_figures_are_said(shop: Shop) -> None:
    result = shop.release("two")
    said = r"; canary of 1 beside 4 pods of app for 1 s \(its (\d+) requests, 0\.0% failed, \d+ ms on average, "
    found = re.search(said + r"old pods (\d+) requests, 0\.0% failed, \d+ ms on average\)", result.note)
    assert found, result.note
    assert int(found[1]) >= 50
    assert int(found[2]) >= 50
    assert shop.kubernetes.get("Deployment")["metadata"]["annotations"]["longshore.dev/manifest"] == "two"
    assert shop.left() == []
    order = [path.partition("?")[0].split("/")[-2:] for _, path in shop.kubernetes.asked if "dryRun" not in path]
    pods = [what for what in order if what[0] in ("pods", "deployments")]
    assert pods == [["pods", "app-canary-2-1"]] * 2 + [["deployments", "app"]]


def test_its_pods_are_the_deployments_as_services_and_policies_see_them(shop: Shop) -> None:
    shop.release("two")
    (pod,) = shop.pods
    template = served("two")["spec"]["template"]
    assert pod["metadata"]["labels"] == template["metadata"]["labels"] | {LABEL: "2"}
    assert "ownerReferences" not in pod["metadata"]
    assert pod["spec"] == template["spec"] | {"activeDeadlineSeconds": pod["spec"]["activeDeadlineSeconds"]}
    assert 20 < pod["spec"]["activeDeadlineSeconds"] < 120, "a canary that a killed run leaves behind ends by itself"


def test_steps_add_pods_each_for_its_time(shop: Shop) -> None:
    shop.set(canary=["1%", "26%", "100%"], bake=0.3)
    shop.release("two")
    assert [pod["metadata"]["name"] for pod in shop.pods] == [f"app-canary-2-{number}" for number in range(1, 5)]
    steps = [step for step in shop.steps if step.startswith("canary of ") and " s, " in step]
    assert list(dict.fromkeys(step.partition(":")[0] for step in steps)) == [
        "canary of 1%",
        "canary of 26%",
        "canary of 100%",
    ]
    assert "2 of 2 replicas ready" in "".join(step for step in steps if "26%" in step)


def test_one_that_does_not_start_has_changed_nothing(shop: Shop) -> None:
    shop.kubernetes.crashes = {"two"}
    failed = shop.worse(item("ConfigMap", "new"))
    assert "exited with code 3" in failed.cause
    assert "new" not in shop.kubernetes.names("ConfigMap")


def test_without_room_for_a_pod_nothing_is_changed(shop: Shop) -> None:
    shop.kubernetes.full = 'pods "app-canary" is forbidden: exceeded quota: small, used: pods=4, limited: pods=4'
    with pytest.raises(
        Precondition, match=r"there is no room for a surge pod: .*exceeded quota.*; nothing was changed"
    ):
        shop.release("two", before=(hook(),))
    assert [path for _, path in shop.kubernetes.asked if "dryRun" not in path and "/leases" not in path] == []
    assert len(records.history(shop.site.cluster, shop.kubectl)) == 1


def test_other_refusals_are_left_to_the_pod_itself(shop: Shop) -> None:
    shop.kubernetes.full = 'pods "x" is forbidden: error looking up service account shop/app'
    assert "its pod cannot be created: " in shop.worse().cause


def test_workloads_without_a_canary_are_named(shop: Shop) -> None:
    database = worker("two", "database", "StatefulSet", updateStrategy={})
    behind = worker("two", "behind")
    behind["spec"]["template"]["metadata"]["labels"] = {"app": "behind"}
    shop.kubernetes.apply(worker("one", "behind"))
    fresh = worker("two", "fresh")
    fresh["spec"]["template"]["metadata"]["labels"] = served("two")["spec"]["template"]["metadata"]["labels"]
    another = worker("nine", "queue", "StatefulSet", updateStrategy={})  # of another image
    said = shop.release("two", database, another, behind, fresh).canary.rpartition("; ")[2]
    without = ["statefulset database", "deployment behind (no Service leads to it)", "deployment fresh (no old pod)"]
    assert said == f"no canary of {', '.join(without)}"
    assert len(shop.pods) == 1


def test_the_first_release_a_rollback_and_an_environment_without_it_have_none(shop: Shop) -> None:
    shop.set(canary="off")
    assert shop.release("two").canary == ""
    shop.set()
    return_to(shop.site, records.history(shop.site.cluster, shop.kubectl)[1], lambda *_: None)
    assert shop.pods == []


@pytest.mark.parametrize(
    ("spec", "why"),
    [({"strategy": {"type": "Recreate"}}, "its strategy is Recreate"), ({"paused": True}, "it is paused")],
)
def test_one_that_never_runs_beside_its_successor_gets_none(shop: Shop, spec: Thing, why: str) -> None:
    alone = worker("two", "alone", **spec)
    alone["spec"]["template"]["metadata"]["labels"] = served("two")["spec"]["template"]["metadata"]["labels"]
    shop.kubernetes.apply(worker("one", "alone"))
    assert shop.release("two", alone).canary.endswith(f"; no canary of deployment alone ({why})")
