"""Hooks before and after a rollout, and Jobs beside it: what fails stops or undoes, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.errors import RolledBack, StateUnknown, StepFailed
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.things import MIGRATION, Thing, hook, item, job


def test_a_hook_that_fails_stops_the_release_before_anything_is_rolled_out(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.fails = {"migrate"}
    with pytest.raises(StepFailed, match="a hook before the rollout failed") as failed:
        shop.release("two", before=(hook(),))
    assert failed.value.exit_code == 5
    assert shop.records()[0] == (2, "two", "failed")
    assert shop.revision == "one"


def migration(**spec: Any) -> Thing:
    """A hook that runs as the account `migrator` and reads the ConfigMap `target`."""
    job = hook()
    job["spec"]["template"]["spec"] |= {"serviceAccountName": "migrator", **spec}
    job["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "target"}}]
    return job


def test_the_first_release_brings_what_its_hook_needs(shop: Shop) -> None:
    needs = item("ServiceAccount", "migrator"), item("ConfigMap", "target", data={"to": "1"})
    assert shop.release("one", *needs, before=(migration(),)).number == 1


def test_what_a_hook_needed_is_put_back_when_it_fails(shop: Shop) -> None:
    needs = item("ServiceAccount", "migrator"), item("ConfigMap", "target", data={"to": "1"})
    shop.release("one", *needs[1:])
    shop.kubernetes.fails = {"migrate"}
    with pytest.raises(StepFailed, match="a hook before the rollout failed"):
        shop.release("two", needs[0], item("ConfigMap", "target", data={"to": "2"}), before=(migration(),))
    assert shop.kubernetes.get("ConfigMap", "target")["data"] == {"to": "1"}
    assert shop.kubernetes.names("ServiceAccount") == []
    assert shop.revision == "one"


def test_what_cannot_be_put_back_leaves_the_state_unknown(shop: Shop) -> None:
    needs = item("ServiceAccount", "migrator"), item("ConfigMap", "target", data={"to": "1"})
    shop.release("one", *needs)
    shop.kubernetes.fails = {"migrate"}

    def refuse(thing: Thing) -> None:
        if thing["kind"] == "Job":
            shop.kubernetes.refusals = ["the webhook is down"]

    shop.kubernetes.on_apply = refuse
    with pytest.raises(StateUnknown, match="what it needs could not be put back"):
        shop.release("two", needs[0], item("ConfigMap", "target", data={"to": "2"}), before=(migration(),))
    assert shop.records()[0] == (2, "two", "failed")


def test_an_irreversible_hook_that_fails_leaves_the_state_unknown(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.fails = {"migrate"}
    with pytest.raises(StateUnknown, match="an irreversible hook failed"):
        shop.release("two", before=(MIGRATION,))
    assert shop.records()[0] == (2, "two", "failed")
    assert shop.revision == "one"


def test_after_an_irreversible_migration_nothing_is_undone(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.crashes = {"two"}
    with pytest.raises(StateUnknown, match="so nothing was undone") as failed:
        shop.release("two", before=(MIGRATION,))
    assert "`invoke rollback --to 1 --past-migrations`" in failed.value.hint
    assert shop.records()[0] == (2, "two", "failed")
    assert shop.revision == "two"


def test_a_hook_after_the_rollout_that_fails_undoes_it(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.fails = {"warm"}
    with pytest.raises(RolledBack, match="warm-2"):
        shop.release("two", after=(hook("warm", "after"),))
    assert shop.revision == "one"


def test_a_job_that_has_run_is_left_alone_by_later_releases(shop: Shop) -> None:
    shop.release("one", job("one"))
    assert shop.release("two", job("two")).number == 2
    assert shop.kubernetes.get("Job", "seed")["spec"] == job("one")["spec"]
    assert shop.release("three", before=(hook("seed"),)).deleted == ("job/seed",), "it may become a hook"


def test_a_job_that_failed_is_run_again(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.fails = {"seed"}
    with pytest.raises(RolledBack, match="job seed failed"):
        shop.release("two", job("two"))
    assert shop.kubernetes.names("Job") == []
    shop.kubernetes.apply(job("one"))
    shop.kubernetes.fails = set()
    shop.release("three", job("three"))
    assert shop.kubernetes.get("Job", "seed")["spec"] == job("three")["spec"]


def test_no_job_runs_on_the_way_back(shop: Shop) -> None:
    shop.release("one", job("one"))
    shop.kubernetes.drop("Job", "seed")
    shop.kubernetes.crashes = {"two"}
    with pytest.raises(RolledBack):
        shop.release("two")
    assert shop.kubernetes.names("Job") == []
