"""The verdict on a rollout, judged from objects as the API server gives them."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.rollout.verdict import Outcome, Verdict, Workload, judge, together, workloads
from tests.unit.rollout.things import (
    IMAGE,
    TEMPLATE,
    THREE,
    Thing,
    deployment,
    known,
    pod,
    replica_set,
    waiting,
    warning,
)

APP = Workload(kind="Deployment", name="app", images={"app": IMAGE})
OLD = "registry/app@sha256:old"


def verdict(
    thing: Thing,
    sets: list[Thing] | None = None,
    pods: list[Thing] = THREE,
    warnings: list[Thing] | None = None,
) -> Verdict:
    return judge(
        APP, known(Deployment=[thing], ReplicaSet=sets or [replica_set()], Pod=pods, Event=warnings or [])
    )


def test_all_replicas_of_the_newest_generation_ready_is_good() -> None:
    said = verdict(deployment())
    assert (said.outcome, said.sentence) == (Outcome.GOOD, "3 of 3 replicas ready")
    assert said.serving == ("app-1", "app-2", "app-3")


@pytest.mark.parametrize("state", [{"observed": 1}, {"updated": 2}, {"available": 2}, {"total": 4}])
def test_anything_unfinished_is_waiting(state: dict[str, int]) -> None:
    assert verdict(deployment(**state)).outcome is Outcome.WAITING


def test_ready_pods_of_an_older_replica_set_do_not_count() -> None:
    old = [pod(f"old-{n}", owner="old") for n in range(3)]
    said = verdict(deployment(updated=0), [replica_set(), replica_set("old", OLD)], old)
    assert (said.outcome, said.ready) == (Outcome.WAITING, 0)


def test_a_generation_that_nobody_has_looked_at_is_not_judged_by_the_pods_of_the_last_one() -> None:
    crashing = pod("bad-1", ready=False, container=waiting("CrashLoopBackOff"))
    assert verdict(deployment(observed=1), pods=[crashing]).outcome is Outcome.WAITING


def test_the_newest_replica_set_is_the_one_with_the_deployments_template() -> None:
    crashing = pod("bad-1", owner="bad", ready=False, container=waiting("CrashLoopBackOff"))
    said = verdict(
        deployment(), [replica_set("bad", "registry/app@sha256:bad"), replica_set()], [crashing, *THREE]
    )
    assert said.outcome is Outcome.GOOD


def test_a_deployment_scaled_to_nothing_is_not_good() -> None:
    said = verdict(deployment(replicas=0, updated=0, available=0, total=0), pods=[])
    assert said.outcome is Outcome.WAITING


def test_a_deployment_that_somebody_deleted_is_bad() -> None:
    assert judge(APP, known(Deployment=[])).sentence == "deployment app is gone: somebody deleted it"


def test_an_image_that_somebody_put_in_its_place_is_bad_and_named() -> None:
    edited = deployment()
    edited["spec"] = {"replicas": 3, "template": {"spec": {"containers": [{"name": "app", "image": OLD}]}}}
    said = verdict(edited)
    assert said.outcome is Outcome.BAD
    assert said.sentence == f"deployment app was changed by somebody else: container app is to run {OLD}"


def test_a_pod_that_runs_another_digest_is_bad() -> None:
    stranger = pod("app-3", container={"imageID": OLD})
    said = verdict(deployment(), pods=[*THREE[:2], stranger])
    assert (said.outcome, said.sentence) == (
        Outcome.BAD,
        "pod app-3 container app runs sha256:old instead of sha256:new",
    )


def test_a_hopeless_pod_is_bad_though_others_are_ready() -> None:
    said = verdict(
        deployment(updated=1, total=4),
        pods=[*THREE[:1], pod("app-9", ready=False, container=waiting("InvalidImageName"))],
    )
    assert (said.outcome, said.pods) == (Outcome.BAD, ("app-9",))


def test_one_crash_that_recovers_is_tolerated() -> None:
    crashed = pod(
        "app-1",
        container={"state": {"running": {}}, "restartCount": 1, "lastState": {"terminated": {"exitCode": 1}}},
    )
    assert verdict(deployment(), pods=[crashed, *THREE[1:]]).outcome is Outcome.GOOD


def test_a_crashing_pod_of_an_older_release_is_not_held_against_the_new_one() -> None:
    old = pod("old-1", owner="old", ready=False, container=waiting("CrashLoopBackOff"))
    assert (
        verdict(deployment(), [replica_set(), replica_set("old", OLD)], [*THREE, old]).outcome is Outcome.GOOD
    )


@pytest.mark.parametrize(
    ("message", "outcome", "waits_for"),
    [
        ('pods "app-1" is forbidden: violates PodSecurity "restricted:latest"', Outcome.BAD, ""),
        ('admission webhook "x" denied the request', Outcome.BAD, ""),
        ('pods "app-1" is forbidden: exceeded quota: small', Outcome.WAITING, "schedule"),
        ('failed calling webhook "x": timeout', Outcome.WAITING, "config"),
    ],
)
def test_a_refused_pod_is_bad_where_no_waiting_mends_it(
    message: str, outcome: Outcome, waits_for: str
) -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    said = verdict(deployment(updated=0), [replica_set(conditions=[condition])], [])
    assert (said.outcome, said.waits_for) == (outcome, waits_for)
    assert said.sentence.startswith(f"deployment app may not create pods: {message}")


def test_no_progress_within_the_deadline_is_bad_and_says_what_the_probe_said() -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    warnings = [warning("app-1", "Unhealthy", "Readiness probe failed: statuscode: 503")]
    said = verdict(
        deployment(updated=1, conditions=[condition]), pods=[pod("app-1", ready=False)], warnings=warnings
    )
    assert said.outcome is Outcome.BAD
    assert "progressDeadlineSeconds" in said.sentence
    assert "pod app-1: Readiness probe failed: statuscode: 503" in said.sentence


def test_a_stateful_set_is_judged_by_its_update_revision() -> None:
    thing: dict[str, Any] = {
        "metadata": {"name": "db", "uid": "s", "generation": 1},
        "spec": {"replicas": 1, "template": TEMPLATE},
        "status": {"observedGeneration": 1, "updateRevision": "r2", "updatedReplicas": 1, "readyReplicas": 1},
    }
    own = pod("db-0", owner="s")
    own["metadata"]["labels"] = {"controller-revision-hash": "r2"}
    workload = Workload(kind="StatefulSet", name="db", images={"app": IMAGE})
    assert judge(workload, known(StatefulSet=[thing], Pod=[own])).outcome is Outcome.GOOD
    own["metadata"]["labels"] = {"controller-revision-hash": "r1"}
    assert judge(workload, known(StatefulSet=[thing], Pod=[own])).outcome is Outcome.WAITING


def test_a_daemon_set_is_judged_by_its_template_generation() -> None:
    thing: dict[str, Any] = {
        "metadata": {
            "name": "agent", "uid": "a", "generation": 2, "annotations": {"deprecated.daemonset.template.generation": "2"},
        },
        "spec": {"template": TEMPLATE},
        "status": {"observedGeneration": 2, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1},
    }  # fmt: skip
    own = pod("agent-x", owner="a")
    own["metadata"]["labels"] = {"pod-template-generation": "2"}
    workload = Workload(kind="DaemonSet", name="agent", images={"app": IMAGE})
    assert judge(workload, known(DaemonSet=[thing], Pod=[own])).outcome is Outcome.GOOD


def test_a_job_is_done_or_has_failed_when_it_says_so() -> None:
    job: dict[str, Any] = {"metadata": {"name": "migrate", "uid": "j"}, "spec": {"template": TEMPLATE}}
    workload = Workload(kind="Job", name="migrate", images={"app": IMAGE})
    crashing = pod("migrate-1", owner="j", ready=False, container=waiting("CrashLoopBackOff"))
    assert judge(workload, known(Job=[job], Pod=[crashing])).outcome is Outcome.WAITING
    job["status"] = {"conditions": [{"type": "Failed", "status": "True", "message": "backoff limit"}]}
    assert judge(workload, known(Job=[job])).sentence == "job migrate failed: backoff limit"
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    assert judge(workload, known(Job=[job])).outcome is Outcome.GOOD


def test_every_kind_of_a_manifest_that_makes_pods_is_judged() -> None:
    objects = [{"kind": "Service", "metadata": {"name": "app"}}]
    objects += [
        {"kind": kind, "metadata": {"name": "x"}, "spec": {"template": TEMPLATE}}
        for kind in ("Deployment", "StatefulSet")
    ]  # type: ignore[dict-item]
    assert [(one.kind, dict(one.images)) for one in workloads(objects)] == [
        ("Deployment", {"app": IMAGE}),
        ("StatefulSet", {"app": IMAGE}),
    ]


def test_one_bad_workload_of_many_decides_and_the_replicas_add_up() -> None:
    good = Verdict(outcome=Outcome.GOOD, sentence="3 of 3 replicas ready", ready=3, wanted=3, serving=("a",))
    slow = Verdict(outcome=Outcome.WAITING, sentence="0 of 1 replicas ready", wanted=1)
    bad = Verdict(outcome=Outcome.BAD, sentence="pod x keeps crashing", wanted=1)
    assert together([good, slow, bad]).sentence == "pod x keeps crashing"
    assert (together([good, slow]).ready, together([good, slow]).wanted) == (3, 4)
    assert together([good] * 50).sentence == "150 of 150 replicas of 50 workloads ready"
