"""Hooks run one after the other, each as a Job of its own."""

from __future__ import annotations

import time
from pathlib import Path

from longshore.rollout import hooks
from longshore.settings.rollout import Patience
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import hook


def run(kubernetes: Kubernetes, kubectl: Kubectl, folder: Path, *jobs: str) -> tuple[str, list[str]]:
    steps: list[str] = []
    site = site_of(kubernetes, kubectl, folder)
    failed = hooks.run(site, [hook(name) for name in jobs], 7, lambda text, *_: steps.append(text))
    return failed.sentence if failed else "", steps


def test_a_hook_runs_under_a_name_of_its_release(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.logs = "migrated 3 tables\n"
    assert run(kubernetes, kubectl, tmp_path, "migrate", "index")[0] == ""
    assert kubernetes.names("Job") == ["index-7", "migrate-7"]
    assert (tmp_path / "work" / "report" / "hooks" / "migrate-7.log").read_text() == "migrated 3 tables\n"


def test_a_hooks_pods_are_none_of_the_services(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    job = hook()
    job["spec"]["template"]["metadata"]["labels"] = {"app.kubernetes.io/name": "app"}
    hooks.run(site_of(kubernetes, kubectl, tmp_path), [job], 7, lambda *_: None)
    made = kubernetes.get("Job", "migrate-7")
    assert made["spec"]["template"]["metadata"]["labels"] == {"app.kubernetes.io/name": "migrate-7"}
    assert made["metadata"]["labels"] == {"longshore.dev/hook-name": "migrate"}
    assert made["spec"]["ttlSecondsAfterFinished"] == 86400
    assert job["metadata"]["name"] == "migrate", "the manifest itself is left alone"


def test_the_first_hook_that_fails_is_the_last_to_run(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    kubernetes.fails, kubectl.logs = {"migrate"}, "connecting\nno such table\n\n"
    failed, steps = run(kubernetes, kubectl, tmp_path, "migrate", "index")
    assert "job migrate-7 failed: it exited with 1 (last line: no such table; log: " in failed
    assert "running the hook index-7" not in steps
    assert kubernetes.names("Job") == [], "so that the next release can run it under that name"


def test_a_hook_that_a_killed_run_left_behind_is_waited_for(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    left = hook("migrate-6")
    left["metadata"]["labels"] = {"longshore.dev/hook-name": "migrate"}
    kubernetes.put({**left, "status": {"active": 1, "conditions": [{"type": "Complete", "status": "True"}]}})
    assert run(kubernetes, kubectl, tmp_path, "migrate")[1][0] == "waiting for migrate-6, started by an earlier run"


POLICY = 'pods "migrate-7-x2x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


def test_a_hook_whose_pod_is_refused_fails_at_once_and_says_why(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubernetes.refused = POLICY
    began = time.monotonic()
    assert (
        run(kubernetes, kubectl, tmp_path, "migrate")[0]
        == f"job migrate-7 cannot create pods: Error creating: {POLICY}"
    )
    assert time.monotonic() - began < 5
    assert kubernetes.names("Job") == []


def test_a_hook_that_waits_for_quota_waits_for_seconds(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubernetes.refused = "exceeded quota: small"
    site = site_of(kubernetes, kubectl, tmp_path, settings={"patience": Patience(config=0.5)})
    failed = hooks.run(site, [hook()], 7, lambda *_: None)
    assert failed
    assert "exceeded quota: small (for " in failed.sentence


def test_a_hook_that_the_server_refuses_has_failed(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    kubernetes.refusals = ['Job.batch "migrate-7" is invalid']
    assert run(kubernetes, kubectl, tmp_path, "migrate")[0] == (
        'the hook migrate-7 was not started: Job migrate-7: Job.batch "migrate-7" is invalid'
    )


def test_a_hook_is_kept_until_its_log_was_read(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    job = hook()
    job["spec"]["ttlSecondsAfterFinished"] = 0
    hooks.run(site_of(kubernetes, kubectl, tmp_path), [job], 7, lambda *_: None)
    assert kubernetes.get("Job", "migrate-7")["spec"]["ttlSecondsAfterFinished"] == 600
