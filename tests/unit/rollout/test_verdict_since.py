"""What happened before an application of a manifest explains a rollout, and does not decide it."""

from __future__ import annotations

import pytest

from longshore.rollout.verdict import Outcome, Workload, judge
from tests.unit.rollout.things import (
    IMAGE,
    TEMPLATE,
    THREE,
    aged,
    deployment,
    ended,
    known,
    pod,
    replica_set,
    waiting,
    warning,
)

APP = Workload(kind="Deployment", name="app", images={"app": IMAGE})
BEFORE, APPLIED, LATER, MUCH_LATER = (f"2026-01-01T00:{minute}:00Z" for minute in ("00", "10", "11", "15"))


@pytest.mark.parametrize(
    ("at", "outcome"), [(BEFORE, Outcome.WAITING), (LATER, Outcome.WAITING), (MUCH_LATER, Outcome.BAD)]
)
def test_a_progress_deadline_counts_only_if_all_of_it_passed_since_the_application(at: str, outcome: Outcome) -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": at}
    thing = deployment(total=6, conditions=[condition])
    thing["spec"]["progressDeadlineSeconds"] = 300
    said = judge(APP, known(APPLIED, Deployment=[thing], ReplicaSet=[replica_set()], Pod=THREE))
    assert (said.outcome, said.waits_for) == (outcome, "")
    assert "made no progress within its progressDeadlineSeconds; 3 of 3 replicas ready" in said.sentence


REFUSAL = 'pods "app-1" is forbidden: violates PodSecurity "restricted:latest"'


@pytest.mark.parametrize(
    ("created", "condition", "event", "outcome"),
    [
        (BEFORE, BEFORE, BEFORE, Outcome.WAITING),
        (BEFORE, BEFORE, LATER, Outcome.BAD),
        (BEFORE, LATER, BEFORE, Outcome.BAD),
        (APPLIED, APPLIED, APPLIED, Outcome.BAD),
    ],
)
def test_a_refusal_from_before_the_application_explains_and_does_not_decide(
    created: str, condition: str, event: str, outcome: Outcome
) -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": REFUSAL, "lastTransitionTime": condition}
    sets = [aged(replica_set(conditions=[failure]), created)]
    warnings = [warning("new", "FailedCreate", f"Error creating: {REFUSAL}", event)]
    said = judge(APP, known(APPLIED, Deployment=[deployment(updated=0)], ReplicaSet=sets, Event=warnings))
    assert said.outcome is outcome
    assert "violates PodSecurity" in said.sentence


@pytest.mark.parametrize(("at", "outcome"), [(BEFORE, Outcome.WAITING), (LATER, Outcome.BAD)])
def test_a_pod_that_is_older_than_the_application_is_judged_by_what_happened_since(at: str, outcome: Outcome) -> None:
    looping = waiting("CrashLoopBackOff", restartCount=9, lastState=ended(3, at=at))
    without_image = waiting("ErrImagePull", "registry/app: not found")
    failed = [warning("app-3", "Failed", "Failed to pull image: not found", at)]
    failed += [warning("app-3", "Failed", "Error: ImagePullBackOff", LATER)]
    for container in looping, without_image:
        pods = [*THREE[:2], aged(pod("app-3", ready=False, container=container), BEFORE)]
        objects = known(APPLIED, Deployment=[deployment()], ReplicaSet=[replica_set()], Pod=pods, Event=failed)
        assert judge(APP, objects).outcome is outcome
        pods[2] = aged(pods[2], APPLIED)
        objects = known(APPLIED, Deployment=[deployment()], ReplicaSet=[replica_set()], Pod=pods, Event=failed)
        assert judge(APP, objects).outcome is Outcome.BAD, "what is newer is judged by all that it has"


def test_a_refusal_is_over_once_a_pod_was_made() -> None:
    thing = {"metadata": {"name": "db", "uid": "s", "generation": 1}, "spec": {"replicas": 2, "template": TEMPLATE}}
    thing["status"] = {"observedGeneration": 1, "updateRevision": "r2"}
    own = aged(pod("db-0", owner="s"), LATER)
    refused = [warning("s", "FailedCreate", 'object is being deleted: pods "db-0" already exists', APPLIED)]
    workload = Workload(kind="StatefulSet", name="db", images={"app": IMAGE})
    assert judge(workload, known(APPLIED, StatefulSet=[thing], Event=refused)).waits_for == "schedule"
    assert judge(workload, known(APPLIED, StatefulSet=[thing], Pod=[own], Event=refused)).waits_for == ""


def test_a_warning_is_as_old_as_the_server_says() -> None:
    said = warning("app-1", "Failed", "x", LATER) | {"metadata": {"managedFields": [{"time": BEFORE}]}}
    event_of_today = {**warning("app-1", "Failed", "y"), "eventTime": f"{LATER[:-1]}.123456Z"}
    old = aged(THREE[0], BEFORE)
    assert [event["message"] for event in known(APPLIED, Event=[said, event_of_today]).events(old)] == ["y"]
