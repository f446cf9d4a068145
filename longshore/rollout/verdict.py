"""How a rollout stands, judged from the objects that the cluster holds. Pure: objects in, verdict out."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]

HOPELESS = {  # waiting reasons that no amount of waiting mends
    "ImagePullBackOff": "cannot pull its image",
    "InvalidImageName": "names an image that cannot exist",
    "CreateContainerConfigError": "cannot be configured",
    "CreateContainerError": "cannot be created",
    "RunContainerError": "cannot be started",
}


class Outcome(enum.Enum):
    """How a rollout ended, or that it has not."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`sentence` names the cause or what is awaited; `pods` are those whose logs say more; `ready` of `wanted` replicas."""

    outcome: Outcome
    sentence: str
    pods: tuple[str, ...] = ()
    ready: int = 0
    wanted: int = 0
    serving: tuple[str, ...] = field(default=())


def judge(deployment: Object, replica_sets: Iterable[Object], pods: Iterable[Object]) -> Verdict:
    """Judge the newest generation of DEPLOYMENT by its ReplicaSets and pods.

    One crash that recovers is tolerated: Kubernetes restarts a container at once and only then begins to wait, so
    `CrashLoopBackOff` means that it crashed twice.
    """
    name = deployment["metadata"]["name"]
    wanted = int(deployment["spec"].get("replicas", 1))
    status = deployment.get("status", {})
    newest = _newest(deployment, replica_sets)
    own = [pod for pod in pods if newest and _owned(pod, newest)]
    for pod in own:
        if cause := pod_failure(pod):
            return Verdict(
                outcome=Outcome.BAD,
                sentence=f"pod {pod['metadata']['name']} {cause}",
                pods=(pod["metadata"]["name"],),
                wanted=wanted,
            )
    if cause := _deployment_failure(status):
        return Verdict(
            outcome=Outcome.BAD, sentence=f"deployment {name} {cause}", pods=_names(own), wanted=wanted
        )
    ready = sum(_is_ready(pod) for pod in own)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    complete = (
        current
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) == wanted
        and ready >= wanted
    )
    said = f"{min(ready, wanted)} of {wanted} replicas ready"
    outcome = Outcome.GOOD if complete and wanted > 0 else Outcome.WAITING
    if outcome is Outcome.WAITING and (blocked := _blocked(own)):
        said += f"; {blocked}"
    return Verdict(outcome=outcome, sentence=said, pods=_names(own), ready=ready, wanted=wanted)


def pod_failure(pod: Object) -> str:
    """Return why POD will not become ready however long one waits, or an empty text."""
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason == "CrashLoopBackOff":
            return f"keeps crashing: container {container['name']} {exit_of(container)}"
        if reason in HOPELESS:
            message = " ".join(waiting.get("message", "").split())[-200:]
            return (
                f"{HOPELESS[reason]} ({reason}): {message}" if message else f"{HOPELESS[reason]} ({reason})"
            )
    if status.get("phase") == "Failed":
        return f"failed: {status.get('message') or status.get('reason') or 'no reason given'}"
    return ""


def exit_of(container: Object) -> str:
    """Return how CONTAINER last ended: `exited with 3` or `was killed: OOMKilled`."""
    ended = (
        (container.get("lastState") or {}).get("terminated")
        or (container.get("state") or {}).get("terminated")
        or {}
    )
    if ended.get("reason") in ("OOMKilled", "ContainerCannotRun", "StartError"):
        return f"was killed: {ended['reason']}"
    if ended.get("signal"):
        return f"was killed by signal {ended['signal']}"
    return f"exited with {ended.get('exitCode', '?')}"


def digest_of(pod: Object, container: str = "app") -> str:
    """Return the digest of the image that CONTAINER of POD runs, `sha256:…`, as the container runtime reports it."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        if status["name"] == container:
            return str(status.get("imageID", "")).rpartition("@")[2]
    return ""


def _newest(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    key = "deployment.kubernetes.io/revision"
    revision = deployment["metadata"].get("annotations", {}).get(key)
    for candidate in replica_sets:
        if (
            _owned(candidate, deployment)
            and candidate["metadata"].get("annotations", {}).get(key) == revision
        ):
            return candidate
    return None


def _owned(thing: Object, owner: Object) -> bool:
    return any(
        reference["uid"] == owner["metadata"]["uid"]
        for reference in thing["metadata"].get("ownerReferences", ())
    )


def _deployment_failure(status: Object) -> str:
    for condition in status.get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"may not create pods: {condition.get('message', condition.get('reason', ''))}"
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return "made no progress within its progressDeadlineSeconds"
    return ""


def _blocked(pods: list[Object]) -> str:
    for pod in pods:
        for condition in pod.get("status", {}).get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                return f"{pod['metadata']['name']} has no node: {condition.get('message', '')}"
        for container in pod.get("status", {}).get("containerStatuses", ()):
            if container.get("restartCount", 0):
                return f"{pod['metadata']['name']} {exit_of(container)} and was restarted"
    return ""


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def _names(pods: Iterable[Object]) -> tuple[str, ...]:
    return tuple(pod["metadata"]["name"] for pod in pods)
