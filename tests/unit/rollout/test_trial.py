"""What a release goes through between its application and its verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.rollout import trial, verify, web_acl
from longshore.rollout.manifest import Manifest
from longshore.rollout.verdict import Outcome, Verdict
from longshore.settings.rollout import Budgets
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import app, hook, recorded

REPORTS = Path(__file__).parents[2] / "data" / "reports"
FAILED, PASSED = ((REPORTS / f"junit-{name}.xml").read_text() for name in ("bad", "good"))


def settle(kubernetes: Kubernetes, kubectl: Kubectl, folder: Path, *, new: bool = True, **facts: Any) -> Verdict:
    site = site_of(kubernetes, kubectl, folder, **facts)
    manifest = Manifest(before=(hook(),), rolled_out=(app("two"),), after=(hook("warm", "after"),))
    return trial.settle(site, recorded(2, manifest.text, revision="two"), lambda *_: None, new=new)


def with_smoke_tests(folder: Path) -> None:
    (folder / "sources" / "tests" / "smoke").mkdir(parents=True)


def test_the_pods_that_serve_are_in_the_report(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    assert settle(kubernetes, kubectl, tmp_path).outcome is Outcome.GOOD
    pods = json.loads((tmp_path / "work" / "report" / "pods.json").read_text())
    assert [pod["name"] for pod in pods] == ["app-two-0", "app-two-1"]
    assert kubernetes.names("Job") == [], "hooks are no part of what is rolled out"


def test_a_release_that_fails_its_smoke_tests_is_bad(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    with_smoke_tests(tmp_path)
    kubectl.junit = FAILED
    verdict = settle(kubernetes, kubectl, tmp_path)
    assert verdict.outcome is Outcome.BAD
    assert "the smoke tests fail" in verdict.sentence


def test_a_release_that_is_returned_to_passed_its_tests_when_it_was_new(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    with_smoke_tests(tmp_path)
    kubectl.junit = FAILED
    assert settle(kubernetes, kubectl, tmp_path, new=False, probe=50).outcome is Outcome.GOOD
    assert kubectl.ran == []
    assert not (tmp_path / "work" / "report" / "probe.json").exists()


def test_pods_that_crash_are_bad_before_anybody_asks_the_address(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubernetes.crashes = {"two"}
    verdict = settle(kubernetes, kubectl, tmp_path, url="https://nowhere.localhost:1")
    assert verdict.outcome is Outcome.BAD
    assert verdict.pods[0].startswith("app-two-")


def test_ready_pods_that_the_address_does_not_serve_are_bad(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    verdict = settle(
        kubernetes, kubectl, tmp_path, url="https://nowhere.localhost:1", settings={"verify_deadline": 1.0}
    )
    assert verdict.outcome is Outcome.BAD
    assert "nowhere.localhost" in verdict.sentence


def test_what_the_probe_saw_is_said_and_in_the_report(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    settle(kubernetes, kubectl, tmp_path)  # an answer from the first request on
    verdict = settle(kubernetes, kubectl, tmp_path, probe=50)
    result = json.loads((tmp_path / "work" / "report" / "probe.json").read_text())
    assert verdict.outcome is Outcome.GOOD
    assert f"0 of {result['sent']} requests failed, p50" in verdict.sentence


def test_requests_that_fail_beside_the_rollout_make_it_bad(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubernetes.page = 503
    verdict = settle(kubernetes, kubectl, tmp_path, probe=50)
    assert verdict.outcome is Outcome.BAD
    assert verdict.sentence.startswith("requests failed during the rollout: ")


def test_requests_may_fail_within_the_budget(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    kubernetes.page = 503
    verdict = settle(kubernetes, kubectl, tmp_path, probe=50, settings={"budgets": Budgets(errors=1.0)})
    assert verdict.outcome is Outcome.GOOD


@pytest.mark.parametrize(("page", "outcome"), [(200, Outcome.GOOD), (503, Outcome.BAD)])
def test_a_new_release_is_baked(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, page: int, outcome: Outcome
) -> None:
    kubernetes.page = page
    assert settle(kubernetes, kubectl, tmp_path, settings={"bake": 0.5}).outcome is outcome


def test_what_the_web_acl_blocks_is_no_failure_of_the_release(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubernetes.blocked = {"/"}
    verdict = settle(kubernetes, kubectl, tmp_path, probe=50, settings={"bake": 0.5})
    assert verdict.outcome is Outcome.GOOD
    assert "the web ACL blocked the bake's requests after 0 answers" in verdict.sentence
    assert "then the web ACL blocked this machine, and the probe stopped" in verdict.sentence
    assert json.loads((tmp_path / "work" / "report" / "probe.json").read_text())["blocked"] > 0


def test_smoke_tests_that_the_web_acl_answered_run_again(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_smoke_tests(tmp_path)
    monkeypatch.setattr(web_acl, "PAUSE", 0.01)
    kubectl.junit = FAILED
    asked, verifying = [], verify.ANSWERS + verify.CROWD

    def count(path: str) -> None:
        asked.extend([path] if path == "/version" else [])
        kubernetes.blocked = {"/version"} if verifying < len(asked) < verifying + 4 else set()
        if len(asked) == verifying + 4:
            kubectl.junit = PASSED

    kubernetes.on_ask = count
    assert settle(kubernetes, kubectl, tmp_path).outcome is Outcome.GOOD
    assert len(kubectl.ran) == 2
    assert len(asked) >= 2 * verifying + 3


def test_an_address_that_cannot_be_asked_is_no_reason_to_call_a_release_bad(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.blocked = {"/version"}
    monkeypatch.setattr(verify, "LASTS", 0.2)
    with pytest.raises(verify.Unasked, match="the web ACL of the load balancer blocks this machine"):
        settle(kubernetes, kubectl, tmp_path, settings={"verify_deadline": 0.2})
