"""What a release adds to a manifest for the workloads beside the web service, made from that one's pods."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from longshore.rollout.manifest import HOOK, Manifest
from longshore.rollout.shape import DIGEST, MANIFEST, REVISION, shape
from longshore.rollout.workloads import LABEL
from tests.unit.rollout.manifests import KINDS, WORKER, around, pod_of, shaped, web
from tests.unit.rollout.things import TARGET, variables


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_is_what_the_web_service_is_with_another_command(kind: str) -> None:
    objects = shaped(more=KINDS[kind])
    made, service = objects[kind, "site-more"], objects["Deployment", "site"]
    pod, theirs = pod_of(made), pod_of(service)
    container, other = pod["containers"][0], theirs["containers"][0]
    assert container["command"] == ["rq", "worker"]
    assert "args" not in container
    for key in ("image", "name", "volumeMounts", "securityContext", "resources"):
        assert container[key] == other[key], key
    for key in ("serviceAccountName", "securityContext", "volumes", "nodeSelector", "initContainers"):
        assert pod[key] == theirs[key], key
    expected = variables(other)
    del expected["LONGSHORE_DRAINING"]
    assert variables(container) == expected
    assert {"THEIRS", "REVISION", "IMAGE_DIGEST", "KEY_FILE", "POD_NAME", "HOME"} <= expected.keys()
    assert made["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_asks_a_workload_and_nothing_delays_its_end(kind: str) -> None:
    pod = pod_of(shaped(more=KINDS[kind])[kind, "site-more"])
    for container in pod["containers"]:
        assert not container.keys() & {"startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports"}


def test_a_worker_has_a_deployment_of_its_own() -> None:
    objects = shaped(mail=replace(WORKER, replicas=3, drain=90.5))
    spec = objects["Deployment", "site-mail"]["spec"]
    assert spec["replicas"] == 3
    assert spec["selector"] == {"matchLabels": {LABEL: "site-mail"}}
    assert spec["minReadySeconds"] == 5, "a crash at start comes before it counts"
    assert spec["revisionHistoryLimit"] == 5
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 91
    assert len(spec["template"]["spec"]["containers"]) == 2, "what stands beside the service stands beside a worker"
    assert objects["PodDisruptionBudget", "site-mail"]["spec"]["selector"] == spec["selector"]
    assert ("PodDisruptionBudget", "site-one") not in shaped(one=WORKER), "a budget of one pod would only be in the way"


def test_without_a_word_there_is_one_worker_with_a_minute_to_end() -> None:
    spec = shaped(mail=WORKER)["Deployment", "site-mail"]["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["terminationGracePeriodSeconds"]) == (1, 60)


def test_a_cron_job_runs_one_at_a_time_and_ends_with_its_program() -> None:
    spec = shaped(night=KINDS["CronJob"])["CronJob", "site-night"]["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("@daily", "Forbid")
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 86400, "one that hangs would be the last one"
    short = shaped(night=replace(KINDS["CronJob"], deadline=90.5))["CronJob", "site-night"]["spec"]["jobTemplate"]
    assert short["spec"]["activeDeadlineSeconds"] == 91
    assert spec["timeZone"] == "Etc/UTC", "else it is that of the machine that the cluster's controllers run on"
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert [each["name"] for each in pod["containers"]] == ["main"], "a proxy would not end"


@pytest.mark.parametrize(("when", "hook"), [("", "before"), ("before", "before"), ("after", "after")])
def test_a_job_is_a_hook(when: Any, hook: str) -> None:
    objects = shaped(migrate=replace(KINDS["Job"], when=when))
    job = objects["Job", "site-migrate"]
    assert job["metadata"]["annotations"] == {HOOK: hook}
    assert job["spec"]["backoffLimit"] == 0
    manifest = Manifest.parse(Manifest(rolled_out=tuple(objects.values())).text)
    assert [each["metadata"]["name"] for each in getattr(manifest, hook)] == ["site-migrate"]


def test_what_a_release_is_recognised_by_stands_on_workloads_too() -> None:
    objects = shaped(mail=WORKER, night=KINDS["CronJob"])
    noted = {MANIFEST: "mark", REVISION: TARGET.revision, DIGEST: TARGET.digest}
    for kind, name in (("Deployment", "site-mail"), ("CronJob", "site-night")):
        assert objects[kind, name]["metadata"]["annotations"] == noted
    manifest = Manifest(rolled_out=tuple(objects.values()))
    assert (manifest.asked.workload, manifest.asked.service) == ("site", "front"), "and it is asked as before"


def test_a_worker_is_ready_without_a_gate_that_only_a_load_balancer_opens() -> None:
    objects = [web(), *around()]
    objects[0]["spec"]["template"]["spec"]["readinessGates"] = [{"conditionType": "target-health.elbv2.k8s.aws/x"}]
    shape(objects, replace(TARGET, workloads=(("mail", WORKER),)), "mark")
    (worker,) = [each for each in objects if each["metadata"]["name"] == "site-mail"]
    assert "readinessGates" not in pod_of(worker)
    assert "readinessGates" in pod_of(objects[0])
