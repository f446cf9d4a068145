"""The verdict on a rollout, judged from objects as the API server gives them."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.rollout.verdict import Outcome, judge

Thing = dict[str, Any]


def deployment(
    *,
    replicas: int = 3,
    observed: int = 2,
    updated: int = 3,
    available: int = 3,
    total: int = 3,
    **status: Any,
) -> Thing:
    return {
        "metadata": {
            "name": "app",
            "uid": "d",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": replicas},
        "status": {
            "observedGeneration": observed,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "replicas": total,
            **status,
        },
    }


def replica_set(uid: str = "new", revision: str = "2") -> Thing:
    annotations = {"deployment.kubernetes.io/revision": revision}
    return {"metadata": {"uid": uid, "ownerReferences": [{"uid": "d"}], "annotations": annotations}}


def pod(
    name: str, *, owner: str = "new", ready: bool = True, container: Thing | None = None, **status: Any
) -> Thing:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": {"name": name, "ownerReferences": [{"uid": owner}]},
        "status": {
            "conditions": conditions,
            "containerStatuses": [{"name": "app", **(container or {})}],
            **status,
        },
    }


def waiting(reason: str, message: str = "", **more: Any) -> Thing:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


THREE = [pod("app-1"), pod("app-2"), pod("app-3")]


def test_all_replicas_of_the_newest_generation_ready_is_good() -> None:
    verdict = judge(deployment(), [replica_set()], THREE)
    assert (verdict.outcome, verdict.sentence) == (Outcome.GOOD, "3 of 3 replicas ready")


@pytest.mark.parametrize(
    "state",
    [
        {"observed": 1},
        {"updated": 2},
        {"available": 2},
        {"total": 4},
    ],
)
def test_anything_unfinished_is_waiting(state: dict[str, int]) -> None:
    assert judge(deployment(**state), [replica_set()], THREE).outcome is Outcome.WAITING


def test_ready_pods_of_an_older_replica_set_do_not_count() -> None:
    old = [pod(f"old-{n}", owner="old") for n in range(3)]
    verdict = judge(deployment(updated=0), [replica_set(), replica_set("old", "1")], old)
    assert (verdict.outcome, verdict.ready) == (Outcome.WAITING, 0)


def test_a_deployment_scaled_to_nothing_is_not_good() -> None:
    assert (
        judge(deployment(replicas=0, updated=0, available=0, total=0), [replica_set()], []).outcome
        is Outcome.WAITING
    )


@pytest.mark.parametrize(
    ("container", "cause"),
    [
        (
            waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 3, "reason": "Error"}}),
            "container app exited with 3",
        ),
        (
            waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "was killed: OOMKilled",
        ),
        (
            waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 0, "reason": "Completed"}}),
            "exited with 0",
        ),
        (
            waiting("ImagePullBackOff", "back-off pulling: not found"),
            "cannot pull its image (ImagePullBackOff): back-off pulling: not found",
        ),
        (waiting("InvalidImageName"), "names an image that cannot exist"),
        (
            waiting("CreateContainerConfigError", 'secret "x" not found'),
            'cannot be configured (CreateContainerConfigError): secret "x" not found',
        ),
    ],
)
def test_a_hopeless_pod_is_bad_and_its_cause_is_named(container: Thing, cause: str) -> None:
    verdict = judge(
        deployment(updated=1, total=4), [replica_set()], [pod("app-9", ready=False, container=container)]
    )
    assert verdict.outcome is Outcome.BAD
    assert cause in verdict.sentence
    assert verdict.pods == ("app-9",)


def test_one_crash_that_recovers_is_tolerated() -> None:
    crashed = pod(
        "app-1",
        container={"state": {"running": {}}, "restartCount": 1, "lastState": {"terminated": {"exitCode": 1}}},
    )
    assert judge(deployment(), [replica_set()], [crashed, *THREE[1:]]).outcome is Outcome.GOOD


def test_a_crashing_pod_of_an_older_release_is_not_held_against_the_new_one() -> None:
    old = pod("old-1", owner="old", ready=False, container=waiting("CrashLoopBackOff"))
    assert (
        judge(deployment(), [replica_set(), replica_set("old", "1")], [*THREE, old]).outcome is Outcome.GOOD
    )


def test_a_pod_that_quota_or_admission_refuses_is_bad() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    verdict = judge(deployment(updated=0, conditions=[condition]), [replica_set()], [])
    assert (verdict.outcome, verdict.sentence) == (
        Outcome.BAD,
        "deployment app may not create pods: exceeded quota",
    )


def test_no_progress_within_the_deadline_is_bad() -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    assert judge(deployment(updated=1, conditions=[condition]), [replica_set()], []).outcome is Outcome.BAD


def test_a_pod_without_a_node_is_waited_for_and_named() -> None:
    conditions = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    ]
    verdict = judge(
        deployment(updated=1),
        [replica_set()],
        [pod("app-1", ready=False) | {"status": {"conditions": conditions}}],
    )
    assert verdict.outcome is Outcome.WAITING
    assert "app-1 has no node: 0/1 nodes" in verdict.sentence
