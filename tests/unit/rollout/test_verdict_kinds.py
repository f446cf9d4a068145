"""The verdict on workloads of other kinds than a Deployment, and on several at once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from longshore.rollout.verdict import Outcome, Verdict, Workload, judge, together, workloads
from tests.unit.rollout.things import IMAGE, TEMPLATE, Thing, item, known, pod, waiting

OLD = "registry/app@sha256:old"


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


def test_a_job_of_no_pods_at_once_is_suspended() -> None:
    job = {"metadata": {"name": "seed", "uid": "j"}, "spec": {"parallelism": 0, "template": TEMPLATE}}
    said = judge(Workload(kind="Job", name="seed"), known(Job=[job]))
    assert (said.outcome, said.sentence) == (Outcome.GOOD, "job seed is suspended")


def test_a_pod_of_a_manifest_is_judged_by_itself() -> None:
    (workload,) = workloads([item("Pod", "app-1", spec=TEMPLATE["spec"])])
    assert judge(workload, known(Pod=[pod("app-1")])).outcome is Outcome.GOOD
    assert judge(workload, known(Pod=[pod("app-1", ready=False)])).outcome is Outcome.WAITING
    assert judge(workload, known(Pod=[pod("app-1", ready=False, phase="Succeeded")])).outcome is Outcome.GOOD
    assert judge(workload, known(Pod=[])).outcome is Outcome.BAD


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
