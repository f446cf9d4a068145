"""A release ends as good, failed or rolled back, is recorded as that, and says which."""

from __future__ import annotations

import contextlib
import time

import msgspec
import pytest

from longshore.errors import BadInput, DeadlineExceeded, RolledBack, StateUnknown
from longshore.rollout import records, secrets, smoke, verify
from longshore.rollout.attempt import ReleaseResult
from longshore.rollout.secrets import Secrets
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.sites import impatient, site_of
from tests.unit.rollout.things import app, item, worker


def test_a_good_release_says_what_it_did_and_is_recorded(shop: Shop) -> None:
    result = shop.release("one")
    assert (result.number, result.revision, result.digest) == (1, "one", "sha256:one")
    assert result.note == f"release 1: 2 of 2 replicas ready, verified at {shop.site.url}"
    assert shop.records() == [(1, "one", "good")]
    release = records.history(shop.site.cluster, shop.kubectl)[0]
    assert (release.actor, release.content.rolled_out) == ("somebody", (app("one"),))
    assert release.started <= release.finished
    assert msgspec.json.decode(msgspec.json.encode(result), type=ReleaseResult) == result


def test_what_left_the_manifest_is_deleted_and_named(shop: Shop) -> None:
    shop.release("one", item("ConfigMap", "ours"))
    result = shop.release("two")
    assert result.deleted == ("configmap/ours",)
    assert result.note.endswith("; deleted configmap/ours, which left the manifest")


def test_a_bad_release_is_undone_and_the_last_good_one_is_applied_again(shop: Shop) -> None:
    shop.release("one", item("ConfigMap", "ours"))
    shop.kubernetes.crashes = {"two"}
    with pytest.raises(RolledBack) as failed:
        shop.release("two", item("ConfigMap", "new"))
    assert "exited with code 3" in failed.value.sentence
    assert "rolled back to release 1 (one), verified" in failed.value.sentence
    assert shop.records() == [(2, "two", "rolled back"), (1, "one", "good")]
    assert shop.revision == "one"
    assert "ours" in shop.kubernetes.names("ConfigMap")
    assert "new" not in shop.kubernetes.names("ConfigMap"), "what it brought goes with it"
    folder = shop.site.report / "evidence" / "release-2"
    assert {"objects.json", "describe.txt"} <= {path.name for path in folder.iterdir()}


def test_a_release_that_the_public_address_does_not_serve_is_undone(shop: Shop) -> None:
    shop.release("one")
    shop.site = impatient(shop.site)
    shop.kubernetes.unserved = {"two"}
    with pytest.raises(RolledBack, match="rolled back to release 1"):
        shop.release("two")
    assert shop.revision == "one"


def test_the_deadline_that_a_release_missed_is_not_held_against_the_way_back(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.stalls = {"two"}
    shop.site = site_of(shop.kubernetes, shop.kubectl, shop.folder, settings={"rollout_deadline": 1.0})
    with pytest.raises(RolledBack, match=r"not ready after 1 s: .*rolled back to release 1"):
        shop.release("two")
    assert shop.records()[0] == (2, "two", "rolled back")


def test_the_first_release_that_fails_has_nothing_to_return_to(shop: Shop) -> None:
    shop.kubernetes.crashes = {"one"}
    with pytest.raises(StateUnknown, match="the first release failed: ") as failed:
        shop.release("one")
    assert "there is no release to return to" in failed.value.hint
    assert shop.records() == [(1, "one", "failed")]


def test_a_rollback_that_fails_leaves_the_state_unknown(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.crashes = {"one", "two"}
    with pytest.raises(StateUnknown, match="and so did the rollback"):
        shop.release("two")
    assert shop.records()[0] == (2, "two", "failed")


def test_pods_that_no_request_reaches_are_not_waited_for(shop: Shop) -> None:
    began = time.monotonic()
    assert shop.release("one", worker("one")).sentence == "3 of 3 replicas ready in 2 workloads"
    assert time.monotonic() - began < verify.MEET / 2


def test_a_worker_that_is_scaled_to_nothing_is_good(shop: Shop) -> None:
    assert shop.release("one", worker("one", replicas=0)).sentence == "2 of 2 replicas ready in 2 workloads"


def test_a_release_that_is_scaled_to_nothing_serves_nothing(shop: Shop) -> None:
    shop.release("one")
    with pytest.raises(RolledBack, match="scaled to 0 replicas"):
        shop.release("two", app("two", replicas=0))


def test_a_manifest_that_the_server_refuses_changes_nothing(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.refusals = ["spec.replicas: Invalid value"]
    with pytest.raises(BadInput, match="nothing was changed") as refused:
        shop.release("two")
    assert refused.value.detail == "Deployment app: spec.replicas: Invalid value"
    assert shop.records() == [(1, "one", "good")]


def test_fields_that_somebody_else_set_are_taken_back_and_named(shop: Shop) -> None:
    shop.release("one")
    conflict = 'Apply failed with 1 conflict: conflict with "by-hand" using apps/v1: .spec.revisionHistoryLimit'
    shop.kubernetes.refusals = [conflict]
    result = shop.release("two")
    assert result.reclaimed == ".spec.revisionHistoryLimit from by-hand"
    assert result.note.endswith("; took back .spec.revisionHistoryLimit from by-hand")


def test_a_good_release_stays_good_when_nothing_can_be_cleaned_up_after_it(shop: Shop) -> None:
    shop.site = site_of(shop.kubernetes, shop.kubectl, shop.folder, settings={"keep_releases": 1})
    shop.release("zero")
    shop.release("one", item("ConfigMap", "ours"))
    unused = {"name": "app-secrets-1", "labels": {records.LABEL: secrets.KIND}}
    shop.kubernetes.put({"kind": "Secret", "metadata": unused})
    gone = {"configmap/ours", f"configmap/{records.name(1)}", "secret/app-secrets-1"}
    shop.kubernetes.undeletable = gone
    result = shop.release("two")
    assert result.number == 3
    assert len(result.warnings) == 3
    for name in gone:
        assert f"{name} is forbidden" in result.note
    assert shop.records()[0] == (3, "two", "good")


def test_a_release_that_cannot_be_recorded_is_in_an_unknown_state(shop: Shop) -> None:
    shop.release("one")
    shop.refuse_records("good")
    with pytest.raises(StateUnknown, match="serves and was verified, but could not be recorded"):
        shop.release("two")


def test_a_failure_of_any_kind_once_something_was_applied_leaves_the_state_unknown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> str:
        raise DeadlineExceeded("kubectl was stopped after 60 s")

    shop.release("one")
    monkeypatch.setattr(smoke, "prepared", lambda *_: contextlib.nullcontext(slow))
    with pytest.raises(StateUnknown, match="kubectl was stopped after 60 s"):
        shop.release("two")


def test_a_secret_is_there_before_what_mounts_it_and_goes_with_the_last_release_that_does(shop: Shop) -> None:
    pod = item("ConfigMap", "c", data={"secretName": "app-secrets-1"})
    shop.release("one", pod, mounted=Secrets(name="app-secrets-1"))
    assert shop.kubernetes.names("Secret") == ["app-secrets-1"]
    shop.release("two")
    assert shop.kubernetes.names("Secret") == ["app-secrets-1"], "release 1 may be returned to"


def test_a_release_on_top_of_one_in_a_newer_form_is_good_and_a_bad_one_says_why_it_was_not_undone(shop: Shop) -> None:
    shop.release("one")
    shop.kubernetes.get("ConfigMap", records.name(1))["data"]["format"] = "9"
    shop.kubernetes.crashes = {"two"}
    with pytest.raises(StateUnknown, match=r"so did the rollback \(the manifest of release 1 cannot be read"):
        shop.release("two")
    assert shop.release("three").number == 3
