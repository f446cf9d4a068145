"""A manifest that is odd somewhere is a sentence before anything is applied; what Kubernetes takes is no mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from longshore.commands.kubectl import listed
from longshore.errors import BadInput
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.rollout.manifest import Manifest
from longshore.rollout.render import STAND_INS, render
from longshore.settings.workloads import WorkloadTable
from tests.unit.rollout.kubectl import result
from tests.unit.rollout.manifests import around, web
from tests.unit.rollout.things import TARGET, Thing, hook, item

WORKER = WorkloadTable(kind="worker", command=["rq", "worker"], cpu="250m")
POLICY = "networking.k8s.io/v1"


def rendered(folder: Path, *more: Thing, deployment: Thing | None = None) -> Manifest:
    """What is made of a Deployment with a worker beside it, and MORE objects that kustomize gives."""
    objects = [deployment or web(), *around(), *more]

    class Kustomize:
        def run(self, command: Command) -> Result:
            return result(listed(objects).replace(TARGET.digest, STAND_INS["digest"]))

    overlay = folder / "k8s" / "overlays" / "local"
    overlay.mkdir(parents=True, exist_ok=True)
    (overlay / "kustomization.yaml").touch()
    target = replace(TARGET, workloads=(("mail", WORKER),))
    return render(lambda: folder, "", folder / "work", "kubectl", target, cast("Runner", Kustomize()))


def changed(**container: Any) -> Thing:
    """The web service's Deployment with CONTAINER in place of what its own says."""
    deployment = web()
    deployment["spec"]["template"]["spec"]["containers"][0] |= container
    return deployment


def odd_hook(name: str = "migrate", **spec: Any) -> Thing:
    job = hook(name)
    job["spec"] |= spec
    return job


def probing(**probe: Any) -> Thing:
    return changed(livenessProbe=probe)


def stopping(command: Any) -> Thing:
    return changed(lifecycle={"preStop": {"exec": {"command": command}}})


def limited(cpu: object) -> Thing:
    return changed(resources={"limits": {"cpu": cpu}})


def scaler(target: Any) -> Thing:
    return item("HorizontalPodAutoscaler", "x", "autoscaling/v2", spec={"scaleTargetRef": target})


TAKEN = {
    "ports": changed(ports=None),
    "mounts": changed(volumeMounts=None),
    "variables": changed(env=None),
    "a stop without a command": stopping([]),
    **{f"{cpu} cores": limited(cpu) for cpu in ("500000u", "100n", "1k", "1e1", "1E", ".5", "1.", 2, 0.5)},
}


@pytest.mark.parametrize("deployment", TAKEN.values(), ids=TAKEN)
def test_a_deployment_that_kubernetes_takes_is_released(tmp_path: Path, deployment: Thing) -> None:
    assert rendered(tmp_path, deployment=deployment).workloads


@pytest.mark.parametrize(("cpu", "most"), [("500000u", "500000u"), ("100n", "250m"), ("1k", "1k"), ("1e1", "1e1")])
def test_a_limit_of_cores_is_read_in_every_unit(tmp_path: Path, cpu: str, most: str) -> None:
    worker = next(
        each
        for each in rendered(tmp_path, deployment=limited(cpu)).rolled_out
        if each["metadata"]["name"] == "site-mail"
    )
    assert worker["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] == most


REFUSED = {
    "variables as a table": changed(env={"A": "b"}),
    "a variable without a name": changed(env=[{"value": "b"}]),
    "a port as a number": changed(ports=[5000]),
    "a port without one": changed(ports=[{"name": "http"}]),
    "a mount without a path": changed(volumeMounts=[{"name": "x"}]),
    "a stop of numbers": stopping(["sleep", 5]),
    "a probe as a text": changed(livenessProbe="/x"),
    "a probe's request as a text": probing(httpGet="/x"),
    "resources as a text": changed(resources="small"),
    "no quantity": limited("abc"),
}


@pytest.mark.parametrize("deployment", REFUSED.values(), ids=REFUSED)
def test_a_deployment_of_another_form_is_bad_input(tmp_path: Path, deployment: Thing) -> None:
    with pytest.raises(BadInput, match=r"Deployment site is not of the form that Kubernetes takes: .*containers"):
        rendered(tmp_path, deployment=deployment)


BESIDE = {
    "a Service without a spec": item("Service", "other"),
    "a policy without a spec": item("NetworkPolicy", "other", POLICY),
    "a resource of somebody's": item("Thing", "other", "x.io/v1", spec="hello"),
    "a template of somebody's": item(
        "Thing", "other", "x.io/v1", spec={"template": {"spec": {"containers": {"a": "b"}}}}
    ),
    "an autoscaler of a text": scaler("x"),
    "an autoscaler of nothing": scaler({"kind": "Deployment"}),
    "a hook with nulls": odd_hook(ttlSecondsAfterFinished=None, parallelism=None),
    "a hook with a nameless secret": odd_hook(
        template={"metadata": None, "spec": {"containers": [{"name": "a", "image": "b"}], "imagePullSecrets": [{}]}}
    ),
    "the longest name of a hook": odd_hook("m" * 55),
}


@pytest.mark.parametrize("thing", BESIDE.values(), ids=BESIDE)
def test_what_is_legal_or_the_api_servers_to_refuse_is_no_traceback(tmp_path: Path, thing: Thing) -> None:
    thing["metadata"]["labels"] = None
    assert rendered(tmp_path, thing).workloads


WRONG = {
    "is suspended and would never run": odd_hook(parallelism=0),
    "has 56 characters": odd_hook("m" * 56),
    "Job bare is not of the form that Kubernetes takes: Object missing required field `spec`": {
        key: value for key, value in odd_hook("bare").items() if key != "spec"
    },
    "nobody can judge the rollout of ReplicaSet x": item("ReplicaSet", "x", "apps/v1", spec=web()["spec"]),
    "nobody can judge the rollout of ReplicationController x": item("ReplicationController", "x", spec={}),
}


@pytest.mark.parametrize(("sentence", "thing"), WRONG.items())
def test_what_would_not_run_or_nobody_could_judge_is_refused(tmp_path: Path, sentence: str, thing: Thing) -> None:
    with pytest.raises(BadInput, match=sentence):
        rendered(tmp_path, thing)


def test_what_nobody_thought_of_is_a_sentence_all_the_same(tmp_path: Path) -> None:
    odd = item("Thing", "other", "x.io/v1", spec={"template": {"spec": {"containers": ["a"]}}})
    with pytest.raises(BadInput, match="the manifest of local is not of the form that Kubernetes takes"):
        rendered(tmp_path, odd)
