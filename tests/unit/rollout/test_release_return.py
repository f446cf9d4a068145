"""The way back: to which recorded release, with what of it, and what is said where it cannot be gone."""

from __future__ import annotations

import pytest

from longshore.errors import Precondition, RolledBack
from longshore.rollout import evidence, records, trial
from longshore.rollout.manifest import Manifest
from longshore.rollout.release import return_to
from tests.unit.rollout.shop import GATEWAY, Shop
from tests.unit.rollout.things import app, hook, item, recorded


def test_a_verified_rollback_stays_one_when_nothing_can_be_cleaned_up_after_it(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.crashes = {"two"}
    shop.kubernetes.undeletable = {"configmap/new"}
    with pytest.raises(RolledBack, match="rolled back to release 1") as failed:
        shop.release("two", item("ConfigMap", "new"))
    assert "configmap/new is forbidden" in failed.value.hint
    assert shop.records()[0] == (2, "two", "rolled back")


def test_a_kind_that_left_the_cluster_is_neither_pruned_nor_returned_to(shop: Shop) -> None:
    shop.release("one", GATEWAY, item("ConfigMap", "ours"))
    shop.kubernetes.added = set()
    result = shop.release("two")
    assert (result.deleted, result.warnings) == (("configmap/ours",), ())
    shop.kubernetes.crashes = {"three"}
    shop.kubernetes.undeletable = set()
    chosen = records.history(shop.site.cluster, shop.kubectl)[1]
    result = return_to(shop.site, chosen, lambda *_: None)
    assert result.warnings == ("left out Gateway app: the cluster no longer has this kind",)
    with pytest.raises(RolledBack) as failed:
        shop.release("three")
    assert "left out Gateway app" in failed.value.hint


def test_a_release_that_the_server_refuses_now_is_not_returned_to(shop: Shop) -> None:
    shop.release("one")
    shop.release("two")
    shop.kubernetes.refusals = ["spec.replicas: Invalid value"] * 2
    chosen = records.history(shop.site.cluster, shop.kubectl)[1]
    with pytest.raises(Precondition, match="release 1 can no longer be applied") as refused:
        return_to(shop.site, chosen, lambda *_: None)
    assert "Invalid value" in refused.value.detail
    assert shop.records()[0] == (2, "two", "good")


def test_a_rollback_that_cannot_be_recorded_is_one(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.crashes = {"two"}
    shop.refuse_records("rolled back")
    with pytest.raises(RolledBack) as failed:
        shop.release("two")
    assert "could not be recorded" in failed.value.hint


def test_a_full_disk_keeps_nobody_from_returning(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    shop.release("one")
    shop.kubernetes.crashes = {"two"}
    monkeypatch.setattr(evidence, "save", full)
    monkeypatch.setattr(trial, "write_atomically", full)
    with pytest.raises(RolledBack, match="rolled back to release 1"):
        shop.release("two")


def test_a_recorded_release_is_returned_to_as_a_new_one(shop: Shop) -> None:
    shop.release("one", before=(hook(),), after=(hook("warm", "after"),))
    shop.release("two")
    jobs = shop.kubernetes.names("Job")
    chosen = records.choose(
        records.history(shop.site.cluster, shop.kubectl), 0, past_migrations=False, environment="local"
    )
    result = return_to(shop.site, chosen, lambda *_: None)
    assert (result.number, result.revision, result.digest) == (3, "one", "sha256:one")
    assert shop.revision == "one"
    assert shop.kubernetes.names("Job") == jobs, "its hooks do not run again"


def test_the_record_of_an_older_version_is_returned_to(shop: Shop) -> None:
    old = """apiVersion: apps/v1
kind: Deployment
metadata:
  annotations: {longshore.dev/manifest: old}
  name: app
spec:
  replicas: 1
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - {name: app, image: 'registry/app@sha256:old', env: [{name: REVISION, value: old}]}
---
apiVersion: v1
kind: Service
metadata:
  name: app"""
    shop.release("one")
    result = return_to(shop.site, recorded(1, old, revision="old"), lambda *_: None)
    assert (result.revision, shop.revision) == ("old", "old")
    assert shop.kubernetes.names("Service") == ["app"]


@pytest.mark.parametrize("kind", ["ConfigMap", "CronJob"])
def test_a_recorded_object_that_is_annotated_like_a_hook_is_an_object_like_any_other(shop: Shop, kind: str) -> None:
    noted = item(kind, "noted", "batch/v1" if kind == "CronJob" else "v1")
    noted["metadata"]["annotations"] = {"longshore.dev/hook": "before"}
    shop.release("one")
    chosen = recorded(1, Manifest(rolled_out=(app("old"), noted)).text, revision="old")
    assert return_to(shop.site, chosen, lambda *_: None).number == 2
    assert shop.kubernetes.names(kind)[-1] == "noted"


def test_a_return_finds_the_secrets_of_the_manifest(shop: Shop) -> None:
    smtp = item("Secret", "smtp", stringData={"password": "planted-Passw0rd-7391"})  # pragma: allowlist secret
    shop.release("one", smtp)
    shop.release("two")
    assert "smtp" not in shop.kubernetes.names("Secret")
    chosen = records.history(shop.site.cluster, shop.kubectl)[-1]
    assert return_to(shop.site, chosen, lambda *_: None).number == 3
    assert shop.kubernetes.get("Secret", "smtp")["stringData"] == smtp["stringData"]
    assert not [
        found for found in shop.kubernetes.objects.values() if found["kind"] == "ConfigMap" and "7391" in str(found)
    ]
