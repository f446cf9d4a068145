"""When a release proves itself, and what becomes of it if it does not."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from longshore.errors import RolledBack, StateUnknown
from longshore.rollout import records
from longshore.rollout.prove import Unproved
from longshore.rollout.release import return_to
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.sites import impatient, site_of
from tests.unit.rollout.things import MIGRATION, Thing, app, hook, item


@pytest.fixture
def shop(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Shop:
    shop = Shop(kubernetes, kubectl, tmp_path)
    shop.site = site_of(kubernetes, kubectl, tmp_path, settings={"prove": 0.1})
    shop.release("one")
    shop.steps.clear()
    return shop


def applied(shop: Shop) -> list[str]:
    """What was written to the cluster, as the last two parts of each path."""
    return [
        "/".join(path.partition("?")[0].split("/")[-2:]) for _, path in shop.kubernetes.asked if "dryRun" not in path
    ]


def test_a_good_release_proves_itself_after_its_hooks_and_before_it_is_applied(shop: Shop) -> None:
    shop.kubernetes.asked.clear()
    shop.release("two", before=(hook(),))
    order = [what for what in applied(shop) if what.split("/")[0] in ("jobs", "pods", "deployments")]
    assert order == ["jobs/migrate-2", "pods/app-prove-2", "pods/app-prove-2", "deployments/app"]
    assert shop.records()[0] == (2, "two", "good")


def test_one_that_does_not_prove_itself_has_changed_nothing(shop: Shop) -> None:
    shop.kubernetes.crashes = {"two"}
    before = copy.deepcopy(shop.kubernetes.get("Deployment"))
    with pytest.raises(Unproved, match="exited with code 3; what was serving is unchanged"):
        shop.release("two", item("ConfigMap", "new"))
    assert shop.kubernetes.get("Deployment") == before
    assert shop.records()[0] == (2, "two", "rolled back")
    assert "new" not in shop.kubernetes.names("ConfigMap"), "what it needed goes with it"
    release = records.history(shop.site.cluster, shop.kubectl)[0]
    assert "exited with code 3" in release.cause


def test_one_that_does_not_prove_itself_while_nothing_else_answers_leaves_the_state_unknown(shop: Shop) -> None:
    shop.site = impatient(shop.site)
    shop.kubernetes.crashes = {"two"}
    shop.kubernetes.on_apply = lambda thing: shop.kubernetes.unserved.add("one") if thing["kind"] == "Pod" else None
    with pytest.raises(StateUnknown, match=r"did not prove itself: .*, but .* does not serve the release"):
        shop.release("two")
    assert shop.records()[0] == (2, "two", "failed")


def test_after_an_irreversible_migration_a_person_must_look(shop: Shop) -> None:
    shop.kubernetes.crashes = {"two"}
    with pytest.raises(StateUnknown, match="irreversible") as failed:
        shop.release("two", before=(MIGRATION,))
    assert "exited with code 3" in failed.value.sentence
    assert shop.revision == "one"


def test_the_first_release_and_a_rollback_have_nothing_to_prove_before(shop: Shop) -> None:
    assert not any("pods/" in what for what in applied(shop))
    shop.release("two")
    shop.kubernetes.asked.clear()
    chosen = records.history(shop.site.cluster, shop.kubectl)[1]
    return_to(shop.site, chosen, lambda *_: None)
    assert shop.revision == "one"
    assert not any("pods/" in what for what in applied(shop))


def test_a_bad_rollout_after_a_good_proof_is_still_rolled_back(shop: Shop) -> None:
    # Good for as long as it is alone: the pods of the Deployment crash.
    def crash(thing: Thing) -> None:
        if thing["kind"] == "Deployment" and json.dumps(thing).count('"two"'):
            shop.kubernetes.crashes = {"two"}

    shop.kubernetes.on_apply = crash
    with pytest.raises(RolledBack):
        shop.release("two")


def test_a_pod_that_a_killed_run_left_behind_is_deleted_by_the_next_release(shop: Shop) -> None:
    left = item("Pod", "app-prove-1")
    left["metadata"]["labels"] = {"longshore.dev/prove": "1"}
    shop.kubernetes.apply({**left, "spec": app("x")["spec"]["template"]["spec"]})
    running: list[list[str]] = []
    shop.kubernetes.on_apply = lambda thing: running.append(shop.kubernetes.names("Pod"))
    shop.kubernetes.fails = {"migrate"}
    with pytest.raises(Exception, match="a hook before"):
        shop.release("two", before=(hook(),))
    assert "app-prove-1" not in running[-1]
    assert "app-prove-1" not in shop.kubernetes.names("Pod")
