"""How a rollout stands, judged from the objects in the cluster. Pure: objects in, verdict out."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from longshore.kubernetes import paths
from longshore.kubernetes.mirror import Objects
from longshore.rollout import pods as podlib
from longshore.rollout.pods import CONFIG, Trouble, condition
from longshore.rollout.refusals import refusal, stalled, warned

Object = Mapping[str, Any]

NOTHING = "every workload is paused or scaled to 0 replicas, so nothing serves"
ON_DELETE = "OnDelete"  # an update strategy: new pods come only where somebody deletes old ones


class Outcome(enum.Enum):
    """How a rollout ended, or that it has not."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


class Workload(Struct, frozen=True, kw_only=True):
    """An object of the release that makes pods, and the image of each of its containers.

    One that is `paused` by its manifest rolls nothing out; one that `expires` is deleted by Kubernetes once it is done.
    """

    kind: str
    name: str
    images: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    expires: bool = False

    @property
    def title(self) -> str:
        """Its name in a sentence: `deployment app`."""
        return f"{self.kind.lower()} {self.name}"


class Verdict(Struct, frozen=True):
    """How a rollout stands: `sentence` gives the cause or what is awaited, `ready` of `wanted` replicas are ready.

    `pods` are those whose logs say more, `serving` those that are ready. `waits_for` names a wait with its own budget.
    `draining` pods are being deleted.
    """

    outcome: Outcome
    sentence: str
    pods: tuple[str, ...] = ()
    ready: int = 0
    wanted: int = 0
    waits_for: str = ""
    serving: tuple[str, ...] = ()
    draining: int = 0


def workloads(objects: Iterable[Object]) -> tuple[Workload, ...]:
    """Return those of a manifest's OBJECTS that make pods, by which they are judged."""
    return tuple(
        Workload(
            kind=item["kind"],
            name=item["metadata"]["name"],
            images=_images(item["spec"] if item["kind"] == "Pod" else item["spec"]["template"]["spec"]),
            paused=bool(item["spec"].get("paused")),
            expires=item["spec"].get("ttlSecondsAfterFinished") is not None,
        )
        for item in objects
        if item["kind"] in JUDGES and item["apiVersion"] == paths.VERSIONS[item["kind"]]
    )


def judge(workload: Workload, known: Objects) -> Verdict:
    """Judge the newest generation of WORKLOAD by its own status and by its pods."""
    live = known.named.get((workload.kind, workload.name))
    if live is None and workload.expires:
        return Verdict(Outcome.GOOD, f"{workload.title} is done and gone")
    if live is None:
        return Verdict(Outcome.BAD, f"{workload.title} was deleted by someone else")
    if workload.kind == "Job":  # never changes, so it may be an earlier release's; its status has no generation
        return _job(workload, live, known)
    images = _images(live["spec"])
    for name, image in workload.images.items():
        # By digest: an admission policy may well rewrite the registry, and a tag to what it names.
        if "@" in image and images.get(name, "").rpartition("@")[2] != image.rpartition("@")[2]:
            now = f"container {name} now has the image {images.get(name)}"
            return Verdict(Outcome.BAD, f"{workload.title} was changed by someone else: {now}")
    observed = live.get("status", {}).get("observedGeneration", 0)
    if observed < live["metadata"].get("generation", 0) and workload.kind != "Pod":
        return Verdict(Outcome.WAITING, f"waiting for Kubernetes to start on {workload.title}")
    return JUDGES[workload.kind](workload, live, known)


def together(verdicts: list[Verdict]) -> Verdict:
    """Return one verdict on all workloads of a release: the first bad one, else the first that waits.

    A workload may want no replica at all, a release has to want some.
    """
    worst = next((verdict for verdict in verdicts if verdict.outcome is Outcome.BAD), None)
    waiting = [verdict for verdict in verdicts if verdict.outcome is Outcome.WAITING]
    on_budget = next((verdict for verdict in waiting if verdict.waits_for), None)
    chosen = worst or on_budget or next(iter(waiting), verdicts[0])
    ready, wanted = sum(verdict.ready for verdict in verdicts), sum(verdict.wanted for verdict in verdicts)
    serving = tuple(name for verdict in verdicts for name in verdict.serving)
    if chosen.outcome is Outcome.GOOD and not wanted:
        chosen = replace(chosen, outcome=Outcome.BAD, sentence=NOTHING)
    elif chosen.outcome is Outcome.GOOD and len(verdicts) > 1:
        chosen = replace(chosen, sentence=f"{ready} of {wanted} replicas ready in {len(verdicts)} workloads")
    return replace(chosen, ready=ready, wanted=wanted, serving=serving)


def _deployment(workload: Workload, live: Object, known: Objects) -> Verdict:
    wanted, status = int(live["spec"].get("replicas", 1)), live.get("status", {})
    # By template, as Kubernetes itself does: the revision annotation follows a moment later.
    sets = known.owned("ReplicaSet", live)
    newest = next((replicas for replicas in sets if replicas.get("template") == live.get("template")), None)
    pods = known.owned("Pod", newest) if newest else []
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if live["spec"].get("paused") and workload.paused:
        # Kubernetes scales what there is and makes nothing new.
        wanted, older = (wanted if sets else 0), [pod for replicas in sets for pod in known.owned("Pod", replicas)]
        return _judged(workload, [], known, wanted=wanted, complete=available >= wanted, trouble=None, older=older)
    complete = updated == status.get("replicas", 0) == wanted and available >= wanted
    paused = Trouble("is paused by someone else, so nothing is rolled out") if live["spec"].get("paused") else None
    trouble = paused or refusal(newest or live, known) or stalled(live, known)
    return _judged(workload, pods, known, wanted=wanted, complete=complete, trouble=trouble)


def _stateful_set(workload: Workload, live: Object, known: Objects) -> Verdict:
    spec, status = live["spec"], live.get("status", {})
    wanted, strategy = int(spec.get("replicas", 1)), spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    first = int((spec.get("ordinals") or {}).get("start", 0))
    # Pods below the partition stay as they are, and with OnDelete all that somebody does not delete.
    due = 0 if strategy.get("type") == ON_DELETE else max(0, wanted - max(0, partition - first))
    revision, owned = status.get("updateRevision"), known.owned("Pod", live)
    pods = [pod for pod in owned if _label(pod, "controller-revision-hash") == revision]
    older = [pod for pod in owned if pod not in pods] if due < wanted else []
    available = status.get("availableReplicas", status.get("readyReplicas", 0))
    complete = status.get("updatedReplicas", 0) >= due and available >= wanted
    trouble = warned(live, known)
    return _judged(workload, pods, known, wanted=wanted, complete=complete, trouble=trouble, older=older)


def _daemon_set(workload: Workload, live: Object, known: Objects) -> Verdict:
    status, on_delete = live.get("status", {}), (live["spec"].get("updateStrategy") or {}).get("type") == ON_DELETE
    wanted, template = int(status.get("desiredNumberScheduled", 0)), live["metadata"].get("template")
    owned = known.owned("Pod", live)
    pods = [pod for pod in owned if template is None or _label(pod, "pod-template-generation") == template]
    older = [pod for pod in owned if pod not in pods] if on_delete else []
    updated = on_delete or status.get("updatedNumberScheduled", 0) >= wanted
    complete = updated and status.get("numberAvailable", 0) >= wanted
    trouble = warned(live, known)
    return _judged(workload, pods, known, wanted=wanted, complete=complete, trouble=trouble, older=older)


def _job(workload: Workload, live: Object, known: Objects) -> Verdict:
    """A Job counts its crashes itself; its pods only tell what keeps them from starting."""
    pods, failed = known.owned("Pod", live), condition(live, "Failed")
    names = _names(pods)
    if failed.get("status") == "True":
        why = failed.get("message") or failed.get("reason", "")
        return Verdict(Outcome.BAD, f"{workload.title} failed: {why}", names, wanted=1)
    if condition(live, "Complete").get("status") == "True":
        return Verdict(Outcome.GOOD, f"{workload.title} completed", ready=1, wanted=1)
    if live["spec"].get("suspend") or live["spec"].get("parallelism") == 0:
        return Verdict(Outcome.GOOD, f"{workload.title} is suspended")
    running = Verdict(Outcome.WAITING, f"{workload.title} is running", names, wanted=1)
    for pod in pods:
        trouble = podlib.trouble(pod, known)
        if trouble and not trouble.crash and pod.get("status", {}).get("phase") != "Failed":
            return _troubled(running, pod, trouble)
    if not (refused := warned(live, known)):
        return running
    # A rollout frees quota as old pods leave; while a Job is awaited nothing does.
    soon = replace(refused, waits_for=refused.waits_for and CONFIG)
    return _with(running, f"{workload.title} {refused.sentence}", soon)


def _pod(workload: Workload, live: Object, known: Objects) -> Verdict:
    """A pod that belongs to no workload, and may end as a Job's does."""
    if live.get("status", {}).get("phase") == "Succeeded":
        return Verdict(Outcome.GOOD, f"{workload.title} completed", ready=1, wanted=1)
    return _judged(workload, [live], known, wanted=1, complete=True, trouble=None)


JUDGES = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set, "Job": _job, "Pod": _pod}


def _judged(
    workload: Workload,
    pods: list[Any],
    known: Objects,
    *,
    wanted: int,
    complete: bool,
    trouble: Trouble | None,
    older: Sequence[Any] = (),
) -> Verdict:
    """Judge the PODS of the newest generation; TROUBLE is the workload's own.

    With the OLDER ones that its strategy keeps, WANTED of them must be ready.
    """
    serving = _names(pod for pod in (*pods, *older) if podlib.ready(pod))
    count = f"{min(len(serving), wanted)} of {wanted} replicas ready"
    verdict = Verdict(Outcome.WAITING, count, _names(pods), ready=len(serving), wanted=wanted, serving=serving)
    staying = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    troubles = [(pod, podlib.trouble(pod, known)) for pod in staying]
    for pod, pod_trouble in troubles:
        if pod_trouble and pod_trouble.decides:
            return _troubled(verdict, pod, pod_trouble)
        for stranger in podlib.strangers(pod, workload.images):
            return _troubled(verdict, pod, Trouble(stranger))
    if complete and len(serving) >= wanted:
        return replace(verdict, outcome=Outcome.GOOD)
    for pod, pod_trouble in troubles:
        if pod_trouble:
            return _troubled(verdict, pod, pod_trouble)
    for pod in (*pods, *older):
        if not podlib.ready(pod) and (why := podlib.unready(pod, known.events(pod))):
            name = pod["metadata"]["name"]
            verdict = replace(verdict, sentence=f"{count}; pod {name}: {why}", pods=(name,))
            break
    return _with(verdict, f"{workload.title} {trouble.sentence}; {verdict.sentence}", trouble) if trouble else verdict


def _troubled(verdict: Verdict, pod: Object, trouble: Trouble) -> Verdict:
    name = pod["metadata"]["name"]
    return replace(_with(verdict, f"pod {name} {trouble.sentence}", trouble), pods=(name,))


def _with(verdict: Verdict, sentence: str, trouble: Trouble) -> Verdict:
    outcome = Outcome.BAD if trouble.decides else Outcome.WAITING
    return replace(verdict, outcome=outcome, sentence=sentence, waits_for="" if trouble.stale else trouble.waits_for)


def _images(spec: Object) -> dict[str, str]:
    return {container["name"]: container["image"] for container in spec.get("containers", ())}


def _label(pod: Object, name: str) -> str | None:
    label: str | None = pod["metadata"].get("labels", {}).get(name)
    return label


def _names(pods: Iterable[Object]) -> tuple[str, ...]:
    return tuple(pod["metadata"]["name"] for pod in pods)
