"""A manifest of a web service as users write it, and what a release with workloads makes of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from msgspec.structs import replace

from longshore.rollout.shape import shape
from longshore.settings.workloads import WorkloadTable
from tests.unit.rollout.things import NAME, TARGET, Thing, item

OWN = {NAME: "site"}
APART = {"matchLabels": OWN}
PROBE = {"httpGet": {"path": "/old", "port": "http"}}
STOP = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "touch /run/mark && sleep 7"]}}}
WORKER = WorkloadTable(kind="worker", command=["rq", "worker"])


def web() -> Thing:
    container = {
        "name": "main",
        "image": TARGET.image,
        "args": ["serve"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "lifecycle": copy.deepcopy(STOP),
        "startupProbe": dict(PROBE),
        "readinessProbe": dict(PROBE),
        "livenessProbe": dict(PROBE),
        "env": [{"name": "THEIRS", "value": "kept"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    proxy = {"name": "proxy", "image": "proxy:1", "readinessProbe": dict(PROBE), "ports": [{"containerPort": 80}]}
    proxy |= {"resources": {"requests": {"cpu": "10m"}}}
    named = {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["site"]}]}
    near = {"podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": named}}
    spec = {
        "serviceAccountName": "site",
        "securityContext": {"runAsUser": 10001},
        "terminationGracePeriodSeconds": 40,
        "nodeSelector": {"disk": "fast"},
        "topologySpreadConstraints": [{"topologyKey": "zone", "labelSelector": copy.deepcopy(APART)}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [near]}},
        "containers": [container, proxy],
        "initContainers": [{"name": "wait", "image": "busybox"}],
    }
    labels = OWN | {"app.kubernetes.io/part-of": "shop", "tier": "web"}
    template = {"metadata": {"labels": labels, "annotations": {"a": "b"}}, "spec": spec}
    deployment = {"minReadySeconds": 0, "revisionHistoryLimit": 5, "selector": {"matchLabels": OWN}}
    return item("Deployment", "site", "apps/v1", spec=deployment | {"template": template})


def policy(name: str, spec: Thing) -> Thing:
    return item("NetworkPolicy", name, "networking.k8s.io/v1", spec=spec)


def around() -> list[Thing]:
    front = item("Service", "front", spec={"type": "NodePort", "selector": OWN, "ports": [{"port": 80}]})
    budget = item("PodDisruptionBudget", "site", "policy/v1", spec={"selector": {"matchLabels": OWN}})
    scaler = {"scaleTargetRef": {"kind": "Deployment", "name": "site"}, "minReplicas": 3, "maxReplicas": 6}
    inner = item("Service", "inner", spec={"selector": {"tier": "web"}, "ports": [{"port": 80}]})
    return [front, inner, budget, item("HorizontalPodAutoscaler", "site", "autoscaling/v2", spec=scaler)]


def shaped(*more: Thing, **tables: WorkloadTable) -> dict[tuple[str, str], Thing]:
    """The objects of a release with TABLES beside MORE, by kind and name."""
    objects = [web(), *around(), *more]
    target = replace(TARGET, workloads=tuple(tables.items()), secret="s", files=("KEY",), writable=("/srv/logs",))
    shape(objects, target, "mark")
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def pod_of(thing: Thing) -> Thing:
    spec = thing["spec"]["jobTemplate"]["spec"] if thing["kind"] == "CronJob" else thing["spec"]
    return dict(spec["template"]["spec"])


def labels_of(thing: Thing) -> dict[str, str]:
    spec = thing["spec"]["jobTemplate"]["spec"] if thing["kind"] == "CronJob" else thing["spec"]
    return dict(spec["template"]["metadata"]["labels"])


KINDS: Mapping[str, WorkloadTable] = {
    "Deployment": WORKER,
    "CronJob": WorkloadTable(kind="cron", command=["rq", "worker"], schedule="@daily"),
    "Job": WorkloadTable(kind="job", command=["rq", "worker"]),
}
