"""What runs of the image beside the web service, made from its pods' template: workers, cron jobs, and Jobs as hooks.

They become objects of the manifest like any other, so all that is done for those holds for them. Their pods have the
web service's image, variables, secrets, folders, account and place, and neither its labels nor its probes. Pure.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.rollout.manifest import HOOK
from longshore.rollout.selectors import scales, selected, selects, specified
from longshore.settings.workloads import DAY, DRAIN, WorkloadName, WorkloadTable

NAME, LABEL = "app.kubernetes.io/name", "longshore.dev/workload"  # labels; only pods of workloads have the second
ANY = {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]}
ALIVE = 5  # seconds that a worker, which nobody can ask, lives before it counts: a crash at start comes sooner
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# What each kind becomes, and how long its name may be: a label's value has 63 characters, a cron job adds 11 for the
# minute of each of its Jobs, a release its number to that of a hook.
BECOMES = {"worker": ("Deployment", 63), "cron": ("CronJob", 52), "job": ("Job", 55)}
NAMED = WorkloadName.__metadata__[0]  # type: ignore[attr-defined]

Object = dict[str, Any]
Workloads = tuple[tuple[str, WorkloadTable], ...]


def wanted(tables: Mapping[str, WorkloadTable], processes: Mapping[str, list[str]]) -> tuple[Workloads, str]:
    """Return the workloads that TABLES and the PROCESSES of a Procfile name; and in words which are the Procfile's.

    Raises BadInput where nothing says what one of them runs.
    """
    # Kubernetes reads `$$` and `$(NAME)` in a command by itself, and these are the shell's.
    commands = {name: [re.sub(r"\$(?=[$(])", "$$", part) for part in line] for name, line in processes.items()}
    found, told = dict(tables), []
    for name, command in commands.items():
        if name == "web" or name in tables:
            continue
        if not re.match(NAMED.pattern, name):
            raise BadInput(f"the Procfile's process {name} would need {NAMED.description}", hint="rename it")
        job = name == "release"
        found[name] = WorkloadTable(kind="job" if job else "worker", command=command)
        told.append(f"{name} ({'a job before the rollout' if job else 'a worker'})")
    for name, table in tables.items():
        if not table.command and table.kind != "web":
            if name not in commands:
                hint = 'add `command = ["…"]`, or a line of that name to the Procfile'
                raise BadInput(f"nothing says what [workloads.{name}] in longshore.toml runs", hint=hint)
            found[name] = replace(table, command=commands[name])
    return tuple(found.items()), f"from the Procfile: {', '.join(told)}" if told else ""


def add(objects: list[Object], web: Object, image: str, workloads: Workloads) -> list[Object]:
    """Add WORKLOADS to OBJECTS, made from the Deployment WEB, which runs IMAGE; return what was added.

    One of kind `web` changes that Deployment itself. Raises BadInput where an object of that name is there.
    """
    beside = [(name, table) for name, table in workloads if table.kind != "web" and table.replicas != 0]
    labels = (web["spec"]["template"].get("metadata") or {}).get("labels") or {}
    by = selected(objects)
    kept = {key: value for key, value in labels.items() if key not in by}
    there = {(item["kind"], item["metadata"]["name"]) for item in objects}
    made = [item for name, table in beside for item in _made(web, image, name, table, kept)]
    if beside:
        made += _policies(objects, labels, kept)
    for item in made:
        if (key := (item["kind"], item["metadata"]["name"])) in there:
            hint = "rename one of the two, in k8s/ or under [workloads]; a worker with `replicas = 0` there makes none"
            raise BadInput(f"{' '.join(key)} is in the manifest, and would be made for the workloads, too", hint=hint)
    for _, table in workloads:
        if table.kind == "web":
            _web(objects, web, image, table)
    objects += made
    return made


def _made(web: Object, image: str, name: str, table: WorkloadTable, kept: dict[str, str]) -> Iterator[Object]:
    """Yield the objects of the workload NAME."""
    title = f"{web['metadata']['name']}-{name}"
    kind, most = BECOMES[table.kind]
    if len(title) > most:
        sentence = f"the workload {name} would be a {kind} whose name has {len(title)} characters, {title}"
        raise BadInput(sentence, hint=f"{most} are allowed; shorten its name, or the Deployment's in k8s/")
    own = {LABEL: title}
    labels = kept | own | {NAME: title}
    template = _template(web, image, table, labels)
    metadata = {"name": title, "labels": labels}
    if "namespace" in web["metadata"]:
        metadata["namespace"] = web["metadata"]["namespace"]
    if table.kind == "worker":
        yield _deployment(web, table, own, template, metadata)
        if table.max:
            yield _scaler(table, title, metadata, template["spec"])
        if (table.replicas or table.min or 1) > 1:
            spec = {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": own}}
            yield _object("policy/v1", "PodDisruptionBudget", metadata, spec)
        return
    template["spec"]["restartPolicy"] = "Never"
    # A program that fails is not run again by itself; one whose node went away is.
    again = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    job = {"backoffLimit": 0, "podFailurePolicy": {"rules": again}, "template": template}
    if table.kind == "job":
        hook = metadata | {"annotations": {HOOK: table.when or "before"}}
        yield _object("batch/v1", "Job", hook, job)
    else:
        # Without a zone it is that of the machine that runs the cluster's controllers.
        spec = {"schedule": table.schedule, "timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid"}
        spec |= {"jobTemplate": {"spec": job | {"activeDeadlineSeconds": math.ceil(table.deadline or DAY)}}}
        yield _object("batch/v1", "CronJob", metadata, spec)


def _object(version: str, kind: str, metadata: Object, spec: Object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": copy.deepcopy(metadata), "spec": spec}


def _deployment(web: Object, table: WorkloadTable, own: Object, template: Object, metadata: Object) -> Object:
    like = {key: web["spec"][key] for key in ("progressDeadlineSeconds", "revisionHistoryLimit") if key in web["spec"]}
    spec = like | {
        "minReadySeconds": max(ALIVE, web["spec"].get("minReadySeconds") or 0),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": own},
        "template": template,
    }
    if not table.max:
        spec["replicas"] = 1 if table.replicas is None else table.replicas
    return _object("apps/v1", "Deployment", metadata, spec)


def _scaler(table: WorkloadTable, title: str, metadata: Object, pod: Object) -> Object:
    """Return the autoscaler of TITLE, whose pods are as POD says. Raises BadInput where there is no load to go by."""
    for each in pod["containers"]:
        asked = [(each.get("resources") or {}).get(part) or {} for part in ("requests", "limits")]
        if not any("cpu" in part for part in asked):
            sentence = (
                f"{title} is scaled by the cores that its pods ask for, and container {each['name']} asks for none"
            )
            hint = '`cpu = "250m"` beside `max` says it for the application; `resources` in k8s/ for what is beside it'
            raise BadInput(sentence, hint=hint)
    load = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": title},
        "minReplicas": table.min,
        "maxReplicas": table.max,
        "metrics": [{"type": "Resource", "resource": load}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", metadata, spec)


def _template(web: Object, image: str, table: WorkloadTable, labels: dict[str, str]) -> Object:
    """Return the template of WEB's pods as those of a workload with LABELS have it."""
    template: Object = copy.deepcopy(web["spec"]["template"])
    before = (template.get("metadata") or {}).get("labels") or {}
    template["metadata"] = (template.get("metadata") or {}) | {"labels": labels}
    pod = template["spec"]
    pod.pop("readinessGates", None)  # a load balancer opens them, for what it sends to
    container = _container(pod, image)
    if table.kind == "worker":
        pod["terminationGracePeriodSeconds"] = math.ceil(DRAIN if table.drain is None else table.drain)
    else:
        pod["containers"] = [container]  # another one would not end, nor would the Job
    for each in pod["containers"]:
        for key in (*PROBES, "ports"):
            each.pop(key, None)
    for key in ("args", "lifecycle"):  # SIGTERM comes at once: nobody has to look elsewhere first
        container.pop(key, None)
    container["env"] = [each for each in container.get("env") or () if each["name"] != "LONGSHORE_DRAINING"]
    container["command"] = list(table.command)
    _resources(container, table)
    for selector in _label_selectors([pod.get("affinity"), pod.get("topologySpreadConstraints")]):
        if selects(selector, before):  # apart from each other, not from the web service
            selector.clear()
            selector["matchLabels"] = {LABEL: labels[LABEL]}
    return template


def _container(pod: Object, image: str) -> Object:
    container: Object = next(each for each in pod["containers"] if each.get("image") == image)
    return container


def _label_selectors(value: Any) -> Iterator[Object]:
    if isinstance(value, dict):
        if isinstance(value.get("labelSelector"), dict):
            yield value["labelSelector"]
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _label_selectors(part)


def _resources(container: Object, table: WorkloadTable) -> None:
    """Have CONTAINER ask for what TABLE says. More memory than that it never gets; a limit of cores is no lower."""
    if not table.cpu and not table.memory:
        return
    resources = container["resources"] = container.get("resources") or {}
    for part in ("requests", "limits"):
        resources[part] = resources.get(part) or {}
    requests, limits = resources["requests"], resources["limits"]
    if table.memory:
        requests["memory"] = limits["memory"] = table.memory
    if table.cpu:
        requests["cpu"] = table.cpu
        if "cpu" in limits and _cores(limits["cpu"]) < _cores(table.cpu):
            limits["cpu"] = table.cpu


def _cores(quantity: object) -> float:
    """Return how many cores a QUANTITY of Kubernetes is; from its suffix `k` on, more than any machine has."""
    number, suffix = re.findall(r"(.+?(?:[eE][+-]?\d+)?)([a-zA-Z]*)\Z", str(quantity))[0]
    return float(number) * {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}.get(suffix, 1e3)


def _policies(objects: list[Object], labels: dict[str, str], kept: dict[str, str]) -> list[Object]:
    """Return for each NetworkPolicy that holds for LABELS alone what pods of workloads may reach by it.

    One that lets in pods with LABELS has a copy that lets in those of workloads, too: policies add up, so a hook's may
    come before the rollout.
    """
    own, made = kept | {LABEL: "", NAME: ""}, []

    def let_in(rule: Object, pods: dict[str, str]) -> bool:
        return any(selects(peer["podSelector"], pods) for peer in rule.get("from") or () if _near(peer))

    for policy in [item for item in objects if item["kind"] == "NetworkPolicy"]:
        said, name = specified(policy), policy["metadata"]["name"]
        chosen, rules = said.get("podSelector") or {}, copy.deepcopy(said.get("ingress") or [])
        more = [rule for rule in rules if let_in(rule, labels) and not let_in(rule, own)]
        for rule in more:
            rule["from"].append({"podSelector": ANY})
        metadata = policy["metadata"] | {"name": f"{name}-for-workloads"}
        if more:
            inward = {"podSelector": chosen, "policyTypes": ["Ingress"], "ingress": rules}
            made.append(_object(policy["apiVersion"], "NetworkPolicy", metadata, inward))
        reaches = "egress" in said or "Egress" in (said.get("policyTypes") or ())
        if reaches and selects(chosen, labels) and not selects(chosen, own):
            metadata = policy["metadata"] | {"name": f"{name}-workloads"}
            without = {key: value for key, value in said.items() if key != "ingress"}
            made.append(_object(policy["apiVersion"], "NetworkPolicy", metadata, without | {"podSelector": ANY}))
    return made


def _near(peer: Object) -> bool:
    return isinstance(peer.get("podSelector"), dict) and "namespaceSelector" not in peer


def _web(objects: list[Object], web: Object, image: str, table: WorkloadTable) -> None:
    """Have the web service WEB run as TABLE says; what it does not say stays."""
    container, name = _container(web["spec"]["template"]["spec"], image), web["metadata"]["name"]
    if table.command:
        container.pop("args", None)
        container["command"] = list(table.command)
    _resources(container, table)
    if table.replicas is None and not table.max:
        return
    scalers = [item for item in objects if scales(item)[1] == name]
    if table.replicas is not None:
        objects[:] = [item for item in objects if item not in scalers]
        web["spec"]["replicas"] = table.replicas
        return
    web["spec"].pop("replicas", None)
    metadata = {key: value for key, value in web["metadata"].items() if key in ("name", "namespace", "labels")}
    if not scalers:
        objects.append(_scaler(table, name, metadata, web["spec"]["template"]["spec"]))
    for scaler in scalers:
        what = "ReplicaCount" if scaler["kind"] == "ScaledObject" else "Replicas"  # the first is KEDA's
        scaler["spec"] |= {f"min{what}": table.min, f"max{what}": table.max}


def followed(objects: Iterable[Object], first: str) -> dict[str, str]:
    """Return by which labels the pods of each Deployment and CronJob among OBJECTS are found, FIRST's first."""
    found = {}
    for item in objects:
        name = item["metadata"]["name"]
        if item["kind"] == "Deployment":
            labels = (item["spec"].get("selector") or {}).get("matchLabels") or {}
            found[name] = ",".join(f"{key}={value}" for key, value in labels.items())
        elif item["kind"] == "CronJob" and LABEL in (item["metadata"].get("labels") or {}):
            found[name] = f"{LABEL}={name}"
    return dict(sorted(found.items(), key=lambda each: each[0] != first))
