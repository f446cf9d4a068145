"""Objects as the API server gives them, as small as a verdict needs them."""

from __future__ import annotations

import copy
import datetime
from typing import Any

from longshore.kubernetes.mirror import Objects, reduced
from longshore.rollout.records import GOOD, Release
from longshore.rollout.shape import MANIFEST, Target
from longshore.settings.project import Application

Thing = dict[str, Any]

NAME = "app.kubernetes.io/name"

IMAGE = "registry/app@sha256:new"
TEMPLATE = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": IMAGE}]}}


def deployment(
    *, replicas: int = 3, observed: int = 2, updated: int = 3, available: int = 3, total: int = 3, **status: Any
) -> Thing:
    return {
        "metadata": {"name": "app", "uid": "d", "generation": 2},
        "spec": {"replicas": replicas, "template": TEMPLATE},
        "status": {
            "observedGeneration": observed,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "replicas": total,
            **status,
        },
    }


def replica_set(uid: str = "new", image: str = IMAGE, **status: Any) -> Thing:
    template: Thing = {
        "metadata": {"labels": {"app": "app", "pod-template-hash": uid}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    owner = [{"uid": "d"}]
    return {
        "metadata": {"name": uid, "uid": uid, "ownerReferences": owner},
        "spec": {"template": template},
        "status": status,
    }


def pod(name: str, *, owner: str = "new", ready: bool = True, container: Thing | None = None, **status: Any) -> Thing:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    own = {"name": "app", "imageID": "registry/app@sha256:new", "containerID": "containerd://1", **(container or {})}
    return {
        "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": owner}]},
        "spec": {"containers": [{"name": "app", "image": IMAGE}]},
        "status": {"conditions": conditions, "containerStatuses": [own], **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Thing:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, reason: str = "Error", at: str = "2026-01-01T00:00:00Z", **more: Any) -> Thing:
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": at, **more}}


def warning(about: str, reason: str, message: str, at: str = "", container: str = "app") -> Thing:
    involved = {"uid": about, "fieldPath": f"spec.containers{{{container}}}"}
    return {"involvedObject": involved, "reason": reason, "message": message, "lastTimestamp": at}


def aged(thing: Thing, created: str) -> Thing:
    """THING as the server has it that stored it then."""
    return {**thing, "metadata": {**thing["metadata"], "creationTimestamp": created}}


def known(since: str = "", **kinds: list[Thing]) -> Objects:
    """Return what a mirror would hold of the objects under each kind, where SINCE is when a manifest was applied."""
    return Objects({kind: [reduced(kind, thing) for thing in things] for kind, things in kinds.items()}, since)


def item(kind: str, name: str, group: str = "v1", **more: Any) -> Thing:
    """An object as a manifest has it."""
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **more}


def app(revision: str, **spec: Any) -> Thing:
    """The Deployment of REVISION as a manifest has it; its image's digest is sha256:REVISION, its mark the revision."""
    container = {
        "name": "app",
        "image": f"registry/app@sha256:{revision}",
        "env": [{"name": "REVISION", "value": revision}],
    }
    template = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [container]}}
    made = item("Deployment", "app", "apps/v1", spec={"replicas": 2, "template": template} | spec)
    made["metadata"]["annotations"] = {MANIFEST: revision}
    return made


def worker(revision: str, name: str = "worker", kind: str = "Deployment", **spec: Any) -> Thing:
    """A workload beside `app`, without its mark; no request ever reaches it."""
    made = app(revision, replicas=1)
    made["kind"], made["metadata"] = kind, {"name": name, "namespace": "shop"}
    made["spec"] |= spec
    return made


def job(revision: str, name: str = "seed", **spec: Any) -> Thing:
    """A Job that is no hook."""
    container = {"name": "job", "image": f"registry/app@sha256:{revision}"}
    return item(
        "Job", name, "batch/v1", spec={"template": {"metadata": {}, "spec": {"containers": [container]}}, **spec}
    )


def hook(name: str = "migrate", when: str = "before", **annotations: str) -> Thing:
    """A Job that is a hook; annotations of Longshore's own by their short names."""
    containers = [{"name": "job", "image": "registry/app"}]
    job = item("Job", name, "batch/v1", spec={"template": {"metadata": {}, "spec": {"containers": containers}}})
    noted = {"hook": when, **annotations}
    job["metadata"]["annotations"] = {f"longshore.dev/{key}": value for key, value in noted.items()}
    return job


def recorded(number: int, manifest: str = "", verdict: str = GOOD, revision: str = "") -> Release:
    revision = revision or f"r{number}"
    return Release(
        number=number,
        revision=revision,
        digest=f"sha256:{revision}",
        actor="somebody",
        started="",
        finished="",
        verdict=verdict,
        cause="",
        manifest=manifest,
    )


THREE = [pod("app-1"), pod("app-2"), pod("app-3")]

TARGET = Target(
    repository="registry/hello",
    digest="sha256:new",
    revision="0123456789ab",
    namespace="hello",
    node_port=30123,
    overlay="local",
    contract=Application(port=8000).keeps,
)


def variables(container: Thing) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


SERVICE = item("Service", "app", spec={"selector": {NAME: "app"}})


def served(revision: str, **more: Any) -> Thing:
    """The Deployment of REVISION with a port, labels that a Service selects by, and one that none does."""
    deployment = app(revision, selector={"matchLabels": {"app": "app"}})
    template = deployment["spec"]["template"]
    template["metadata"]["labels"] |= {NAME: "app", "team": "shop"}
    template["spec"] |= {"serviceAccountName": "app", "volumes": [{"name": "tmp", "emptyDir": {}}]} | more
    template["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 5000}]
    return deployment


def changed(pod: Thing, *, ready: bool, **container: Any) -> Thing:
    pod = copy.deepcopy(pod)
    pod["status"]["conditions"][0]["status"] = "True" if ready else "False"
    pod["status"]["containerStatuses"][0].update(container)
    return pod


MIGRATION = hook(irreversible="true")


def now() -> str:
    """The time as the API server writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def owners(thing: Thing) -> set[str]:
    return {owner["uid"] for owner in thing["metadata"].get("ownerReferences", ())}


def owns(item: Thing, thing: Thing) -> bool:
    return item["metadata"]["uid"] in owners(thing)


def revision(thing: Thing) -> str:
    """The revision that a pod, or a pod template, runs."""
    environment = thing["spec"]["containers"][0].get("env", ())
    return next((str(one["value"]) for one in environment if one["name"] == "REVISION"), "")
