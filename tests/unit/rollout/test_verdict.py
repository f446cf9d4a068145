"""The verdict on a rollout, judged from objects as the API server gives them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from longshore.rollout.verdict import Outcome, Verdict, Workload, judge, together, workloads
from tests.unit.rollout.things import (
    IMAGE,
    TEMPLATE,
    THREE,
    Thing,
    aged,
    deployment,
    ended,
    item,
    known,
    pod,
    replica_set,
    waiting,
    warning,
)

APP = Workload(kind="Deployment", name="app", images={"app": IMAGE})
OLD = "registry/app@sha256:old"


def verdict(
    thing: Thing, sets: list[Thing] | None = None, pods: list[Thing] = THREE, warnings: list[Thing] | None = None
) -> Verdict:
    return judge(APP, known(Deployment=[thing], ReplicaSet=sets or [replica_set()], Pod=pods, Event=warnings or []))


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
    said = verdict(deployment(), [replica_set("bad", "registry/app@sha256:bad"), replica_set()], [crashing, *THREE])
    assert said.outcome is Outcome.GOOD


def test_a_workload_may_want_no_replica_and_a_release_may_not() -> None:
    said = verdict(deployment(replicas=0, updated=0, available=0, total=0), pods=[])
    assert (said.outcome, said.sentence) == (Outcome.GOOD, "0 of 0 replicas ready")
    assert together([said, verdict(deployment())]).outcome is Outcome.GOOD
    assert together([said, said]).outcome is Outcome.BAD


@pytest.mark.parametrize(
    ("declared", "available", "outcome", "sentence"),
    [
        (True, 3, Outcome.GOOD, "3 of 3 replicas ready"),
        (True, 2, Outcome.WAITING, "3 of 3 replicas ready"),
        (
            False,
            3,
            Outcome.BAD,
            "deployment app is paused by someone else, so nothing is rolled out; 0 of 3 replicas ready",
        ),
    ],
)
def test_a_paused_deployment_rolls_nothing_out_if_its_manifest_says_so(
    declared: bool, available: int, outcome: Outcome, sentence: str
) -> None:
    thing = deployment(updated=0, available=available)
    thing["spec"]["paused"] = True
    older = [pod(f"old-{n}", owner="old", container={"imageID": OLD}) for n in range(3)]
    workload = Workload(kind="Deployment", name="app", images={"app": IMAGE}, paused=declared)
    said = judge(workload, known(Deployment=[thing], ReplicaSet=[replica_set("old", OLD)], Pod=older))
    assert (said.outcome, said.sentence) == (outcome, sentence)


def test_a_deployment_that_somebody_paused_once_it_was_rolled_out_is_good() -> None:
    thing = deployment()
    thing["spec"]["paused"] = True
    assert verdict(thing).outcome is Outcome.GOOD


def test_a_paused_deployment_that_never_was_rolled_out_wants_nothing() -> None:
    thing = deployment(updated=0, available=0, total=0)
    thing["spec"]["paused"] = True
    said = judge(Workload(kind="Deployment", name="app", paused=True), known(Deployment=[thing]))
    assert (said.outcome, said.wanted) == (Outcome.GOOD, 0)


def test_a_deployment_that_somebody_deleted_is_bad() -> None:
    assert judge(APP, known(Deployment=[])).sentence == "deployment app was deleted by someone else"


def test_an_image_that_somebody_put_in_its_place_is_bad_and_named() -> None:
    edited = deployment()
    edited["spec"] = {"replicas": 3, "template": {"spec": {"containers": [{"name": "app", "image": OLD}]}}}
    said = verdict(edited)
    assert said.outcome is Outcome.BAD
    assert said.sentence == f"deployment app was changed by someone else: container app now has the image {OLD}"


def test_a_pod_that_runs_another_digest_is_bad() -> None:
    stranger = pod("app-3", container={"imageID": OLD})
    said = verdict(deployment(), pods=[*THREE[:2], stranger])
    assert (said.outcome, said.sentence) == (
        Outcome.BAD,
        "pod app-3 runs the wrong image in container app: sha256:old instead of sha256:new",
    )


def test_a_hopeless_pod_is_bad_though_others_are_ready() -> None:
    said = verdict(
        deployment(updated=1, total=4),
        pods=[*THREE[:1], pod("app-9", ready=False, container=waiting("InvalidImageName"))],
    )
    assert (said.outcome, said.pods) == (Outcome.BAD, ("app-9",))


def test_one_crash_that_recovers_is_tolerated() -> None:
    crashed = pod(
        "app-1", container={"state": {"running": {}}, "restartCount": 1, "lastState": {"terminated": {"exitCode": 1}}}
    )
    assert verdict(deployment(), pods=[crashed, *THREE[1:]]).outcome is Outcome.GOOD


def test_a_crashing_pod_of_an_older_release_is_not_held_against_the_new_one() -> None:
    old = pod("old-1", owner="old", ready=False, container=waiting("CrashLoopBackOff"))
    assert verdict(deployment(), [replica_set(), replica_set("old", OLD)], [*THREE, old]).outcome is Outcome.GOOD


@pytest.mark.parametrize(
    ("message", "outcome", "waits_for"),
    [
        ('pods "app-1" is forbidden: violates PodSecurity "restricted:latest"', Outcome.BAD, ""),
        ('admission webhook "x" denied the request', Outcome.BAD, ""),
        ('pods "app-1" is forbidden: exceeded quota: small', Outcome.WAITING, "schedule"),
        ('failed calling webhook "x": timeout', Outcome.WAITING, "config"),
    ],
)
def test_a_refused_pod_is_bad_where_no_waiting_mends_it(message: str, outcome: Outcome, waits_for: str) -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    said = verdict(deployment(updated=0), [replica_set(conditions=[condition])], [])
    assert (said.outcome, said.waits_for) == (outcome, waits_for)
    assert said.sentence.startswith(f"deployment app cannot create pods: {message}")


def test_no_progress_within_the_deadline_is_bad_and_says_what_the_probe_said() -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    warnings = [warning("app-1", "Unhealthy", "Readiness probe failed: statuscode: 503")]
    said = verdict(deployment(updated=1, conditions=[condition]), pods=[pod("app-1", ready=False)], warnings=warnings)
    assert said.outcome is Outcome.BAD
    assert "progressDeadlineSeconds" in said.sentence
    assert "pod app-1: Readiness probe failed: statuscode: 503" in said.sentence


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


def stateful_set(updated: int, available: int = 3, **spec: Any) -> Thing:
    status = {"observedGeneration": 1, "updateRevision": "r2", "updatedReplicas": updated, "replicas": 3}
    return {
        "metadata": {"name": "db", "uid": "s", "generation": 1},
        "spec": {"replicas": 3, "template": TEMPLATE, **spec},
        "status": {**status, "readyReplicas": 3, "availableReplicas": available},
    }


def labelled(name: str, owner: str, label: str, value: str, **more: Any) -> Thing:
    own = pod(name, owner=owner, **more)
    own["metadata"]["labels"] = {label: value}
    return own


ROLLING = {"updateStrategy": {"type": "RollingUpdate"}}
LAST = {"updateStrategy": {"rollingUpdate": {"partition": 2}}}
COUNTED_FROM_5 = {"ordinals": {"start": 5}, "updateStrategy": {"rollingUpdate": {"partition": 7}}}
NONE_BY_ITSELF = {"updateStrategy": {"type": "OnDelete"}}


@pytest.mark.parametrize(
    ("spec", "updated", "available", "outcome"),
    [
        ({}, 3, 3, Outcome.GOOD),
        ({}, 2, 3, Outcome.WAITING),
        (ROLLING, 3, 2, Outcome.WAITING),  # its minReadySeconds have not passed
        (LAST, 1, 3, Outcome.GOOD),
        (LAST, 0, 3, Outcome.WAITING),
        (COUNTED_FROM_5, 1, 3, Outcome.GOOD),
        (COUNTED_FROM_5, 0, 3, Outcome.WAITING),
        (NONE_BY_ITSELF, 0, 3, Outcome.GOOD),
        (NONE_BY_ITSELF, 0, 2, Outcome.WAITING),
    ],
)
def test_a_stateful_set_is_judged_by_its_update_strategy(
    spec: Thing, updated: int, available: int, outcome: Outcome
) -> None:
    pods = [
        labelled(
            f"db-{n}",
            "s",
            "controller-revision-hash",
            "r2" if n >= 3 - updated else "r1",
            container={"imageID": OLD} if n < 3 - updated else None,
        )
        for n in range(3)
    ]
    said = judge(
        Workload(kind="StatefulSet", name="db", images={"app": IMAGE}),
        known(StatefulSet=[stateful_set(updated, available, **spec)], Pod=pods),
    )
    assert said.outcome is outcome


@pytest.mark.parametrize(("strategy", "outcome"), [("RollingUpdate", Outcome.WAITING), ("OnDelete", Outcome.GOOD)])
def test_a_daemon_set_is_judged_by_its_template_generation_and_strategy(strategy: str, outcome: Outcome) -> None:
    status = {"observedGeneration": 2, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}
    annotations = {"deprecated.daemonset.template.generation": "2"}
    thing: dict[str, Any] = {
        "metadata": {"name": "agent", "uid": "a", "generation": 2, "annotations": annotations},
        "spec": {"template": TEMPLATE, "updateStrategy": {"type": strategy}},
        "status": status,
    }
    workload = Workload(kind="DaemonSet", name="agent", images={"app": IMAGE})
    new = labelled("agent-x", "a", "pod-template-generation", "2")
    assert judge(workload, known(DaemonSet=[thing], Pod=[new])).outcome is Outcome.GOOD
    old = labelled("agent-x", "a", "pod-template-generation", "1")
    status["updatedNumberScheduled"] = 0
    assert judge(workload, known(DaemonSet=[thing], Pod=[old])).outcome is outcome


def test_a_job_is_done_or_has_failed_when_it_says_so() -> None:
    job: dict[str, Any] = {"metadata": {"name": "migrate", "uid": "j"}, "spec": {"template": TEMPLATE}}
    workload = Workload(kind="Job", name="migrate", images={"app": IMAGE})
    crashing = pod("migrate-1", owner="j", ready=False, container=waiting("CrashLoopBackOff"))
    assert judge(workload, known(Job=[job], Pod=[crashing])).outcome is Outcome.WAITING
    job["status"] = {"conditions": [{"type": "Failed", "status": "True", "message": "backoff limit"}]}
    assert judge(workload, known(Job=[job])).sentence == "job migrate failed: backoff limit"
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    assert judge(workload, known(Job=[job])).outcome is Outcome.GOOD
    earlier = replace(workload, images={"app": OLD})
    assert judge(earlier, known(Job=[job])).outcome is Outcome.GOOD, "nobody can change it"


def test_a_job_that_is_suspended_or_gone_with_its_time_to_live_is_not_waited_for() -> None:
    job = {"metadata": {"name": "migrate", "uid": "j"}, "spec": {"suspend": True, "template": TEMPLATE}}
    workload = Workload(kind="Job", name="migrate", expires=True)
    assert judge(workload, known(Job=[job])).outcome is Outcome.GOOD
    assert judge(workload, known(Job=[])).outcome is Outcome.GOOD
    assert judge(replace(workload, expires=False), known(Job=[])).outcome is Outcome.BAD


def test_every_kind_of_a_manifest_that_makes_pods_is_judged() -> None:
    objects = [item("Service", "app")]
    objects += [item(kind, "x", "apps/v1", spec={"template": TEMPLATE}) for kind in ("Deployment", "StatefulSet")]
    objects += [item("Job", "x", "batch.volcano.sh/v1alpha1", spec={"tasks": []})]
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
    assert together([good] * 50).sentence == "150 of 150 replicas ready in 50 workloads"
