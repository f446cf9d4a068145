"""The verdict on a rollout, judged from objects as the API server gives them."""

from __future__ import annotations

import pytest

from longshore.rollout.verdict import Outcome, Verdict, Workload, judge, together
from tests.unit.rollout.things import IMAGE, THREE, Thing, deployment, known, pod, replica_set, waiting, warning

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


@pytest.mark.parametrize("image", ["mirror:5000/proxy:1", "proxy:1@sha256:found"])
def test_an_image_named_by_its_tag_may_be_one_that_a_webhook_wrote_in_its_place(image: str) -> None:
    edited = deployment()
    edited["spec"] = {"replicas": 3, "template": {"spec": {"containers": [{"name": "proxy", "image": image}]}}}
    by_tag = Workload(kind="Deployment", name="app", images={"proxy": "proxy:1"})
    assert "changed by someone else" not in judge(by_tag, known(Deployment=[edited])).sentence


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
