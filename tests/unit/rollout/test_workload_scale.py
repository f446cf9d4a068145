"""How many pods of a workload there are, who sets that, and what each asks for."""

from __future__ import annotations

import copy

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.rollout.shape import shape
from longshore.settings.workloads import WorkloadTable
from tests.unit.rollout.manifests import WORKER, around, pod_of, shaped, web
from tests.unit.rollout.things import TARGET, item


def test_an_autoscaler_owns_the_number_between_min_and_max() -> None:
    objects = shaped(mail=replace(WORKER, min=2, max=9))
    assert "replicas" not in objects["Deployment", "site-mail"]["spec"]
    scaler = objects["HorizontalPodAutoscaler", "site-mail"]["spec"]
    assert (scaler["scaleTargetRef"]["name"], scaler["minReplicas"], scaler["maxReplicas"]) == ("site-mail", 2, 9)


def test_nothing_is_made_of_a_worker_without_replicas() -> None:
    assert not [key for key in shaped(mail=replace(WORKER, replicas=0)) if "site-mail" in key[1]]


def test_resources_replace_what_the_service_asks_for() -> None:
    table = replace(WORKER, cpu="2", memory="1Gi")
    (container, _) = pod_of(shaped(mail=table)["Deployment", "site-mail"])["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    (container, _) = pod_of(shaped(mail=replace(WORKER, cpu="250m"))["Deployment", "site-mail"])["containers"]
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "128Mi"}
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "256Mi"}


def test_the_web_service_itself_may_be_said_more_of() -> None:
    command = ["gunicorn", "--workers=4", "site:app"]
    objects = shaped(web=WorkloadTable(kind="web", command=command, replicas=4, memory="1Gi"), mail=WORKER)
    spec = objects["Deployment", "site"]["spec"]
    (container, _) = spec["template"]["spec"]["containers"]
    assert (container["command"], "args" in container, spec["replicas"]) == (command, False, 4)
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert "readinessProbe" in container
    assert ("HorizontalPodAutoscaler", "site") not in objects, "two would set the number in turns"
    (worker, _) = pod_of(objects["Deployment", "site-mail"])["containers"]
    assert worker["resources"]["limits"]["memory"] == "256Mi", "that was said of the web service alone"
    assert ("Deployment", "site-web") not in objects


def test_the_web_service_may_be_scaled_by_load() -> None:
    objects = shaped(web=WorkloadTable(kind="web", min=2, max=20))
    scaler = objects["HorizontalPodAutoscaler", "site"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 20)
    objects_of = [web(), around()[0]]
    shape(objects_of, replace(TARGET, workloads=(("web", WorkloadTable(kind="web", min=2, max=20)),)), "mark")
    assert objects_of[-1]["spec"]["scaleTargetRef"]["name"] == "site", "also where the overlay has no autoscaler"


def test_another_autoscaler_is_told_in_its_own_words() -> None:
    keda = item("ScaledObject", "queue", "keda.sh/v1alpha1", spec={"scaleTargetRef": {"name": "site"}, "triggers": []})
    objects = [web(), around()[0], keda]
    shape(objects, replace(TARGET, workloads=(("web", WorkloadTable(kind="web", min=2, max=20)),)), "mark")
    assert keda["spec"] == {
        "scaleTargetRef": {"name": "site"},
        "triggers": [],
        "minReplicaCount": 2,
        "maxReplicaCount": 20,
    }
    assert len(objects) == 3


@pytest.mark.parametrize("table", [replace(WORKER, min=1, max=3), WorkloadTable(kind="web", min=1, max=3)])
@pytest.mark.parametrize("number", [0, 1])
def test_what_asks_for_no_cores_cannot_be_scaled_by_them(table: WorkloadTable, number: int) -> None:
    objects = [web(), around()[0]]
    containers = objects[0]["spec"]["template"]["spec"]["containers"]
    containers[1]["resources"] = {"limits": {"cpu": 1}}  # which Kubernetes takes for a request, too
    shape(copy.deepcopy(objects), replace(TARGET, workloads=(("more", table),)), "mark")
    containers[number]["resources"] = {"requests": None, "limits": {"memory": "1Gi"}}
    with pytest.raises(BadInput, match=f"container {containers[number]['name']} asks for none") as refused:
        shape(copy.deepcopy(objects), replace(TARGET, workloads=(("more", table),)), "mark")
    assert "cpu" in refused.value.hint
    containers[1]["resources"] = {"requests": {"cpu": "10m"}}
    shape(objects, replace(TARGET, workloads=(("more", replace(table, cpu="100m")),)), "mark")
