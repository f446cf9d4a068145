"""How a rollout stands, judged from the objects that the cluster holds. Pure: objects in, verdict out."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from longshore.rollout import pods as podlib
from longshore.rollout.mirror import Objects
from longshore.rollout.pods import CONFIG, SCHEDULE

Object = Mapping[str, Any]

REFUSED = re.compile(r"violates PodSecurity|denied the request|is invalid", re.IGNORECASE)


class Outcome(enum.Enum):
    """How a rollout ended, or that it has not."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What was released: an object that makes pods, and the image of each of its containers."""

    kind: str
    name: str
    images: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """As a sentence names it: `deployment app`."""
        return f"{self.kind.lower()} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`sentence` names the cause or what is awaited; `pods` are those whose logs say more; `ready` of `wanted` replicas.

    `waits_for` names what the rollout waits for that may not come in time (an image, a node, a volume): such a wait has a
    budget of its own. `serving` are the pods of the release that are ready.
    """

    outcome: Outcome
    sentence: str
    pods: tuple[str, ...] = ()
    ready: int = 0
    wanted: int = 0
    waits_for: str = ""
    serving: tuple[str, ...] = ()


def workloads(objects: Iterable[Object]) -> tuple[Workload, ...]:
    """Return those of a manifest's OBJECTS that make pods and are judged by them."""
    return tuple(
        Workload(
            kind=thing["kind"],
            name=thing["metadata"]["name"],
            images={one["name"]: one["image"] for one in thing["spec"]["template"]["spec"]["containers"]},
        )
        for thing in objects
        if thing["kind"] in JUDGES
    )


def judge(workload: Workload, known: Objects) -> Verdict:
    """Judge the newest generation of WORKLOAD by itself and by the pods that it made."""
    thing = known.named.get((workload.kind, workload.name))
    if thing is None:
        return Verdict(outcome=Outcome.BAD, sentence=f"{workload.title} is gone: somebody deleted it")
    images = {one["name"]: one["image"] for one in thing["spec"].get("containers", ())}
    for name, image in workload.images.items():
        # By content: an admission policy may well name another registry.
        if images.get(name, "").rpartition("@")[2] != image.rpartition("@")[2]:
            return Verdict(
                outcome=Outcome.BAD,
                sentence=f"{workload.title} was changed by somebody else: container {name} is to run {images.get(name)}",
            )
    status = thing.get("status", {})
    if (
        status.get("observedGeneration", 0) < thing["metadata"].get("generation", 0)
        and workload.kind != "Job"
    ):
        return Verdict(outcome=Outcome.WAITING, sentence=f"{workload.title} has not been looked at yet")
    return JUDGES[workload.kind](workload, thing, known)


def together(verdicts: list[Verdict]) -> Verdict:
    """Return one verdict on all workloads of a release: a bad one if there is any, else the first that waits."""
    worst = next((one for one in verdicts if one.outcome is Outcome.BAD), None)
    waiting = [one for one in verdicts if one.outcome is Outcome.WAITING]
    chosen = (
        worst or next((one for one in waiting if one.waits_for), None) or next(iter(waiting), verdicts[0])
    )
    ready, wanted = sum(one.ready for one in verdicts), sum(one.wanted for one in verdicts)
    serving = tuple(name for one in verdicts for name in one.serving)
    if chosen.outcome is Outcome.GOOD and len(verdicts) > 1:
        said = f"{ready} of {wanted} replicas of {len(verdicts)} workloads ready"
        return replace(chosen, sentence=said, ready=ready, wanted=wanted, serving=serving)
    return replace(chosen, ready=ready, wanted=wanted, serving=serving)


def _deployment(workload: Workload, thing: Object, known: Objects) -> Verdict:
    wanted, status = int(thing["spec"].get("replicas", 1)), thing.get("status", {})
    # Kubernetes itself knows the newest one by its template; the revision's annotation follows a moment later.
    sets = known.owned("ReplicaSet", thing)
    newest = next((one for one in sets if one.get("template") == thing.get("template")), None)
    own = known.owned("Pod", newest) if newest else []
    complete = (
        status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) == wanted
    )
    refused = _refusal(newest.get("status", {}) if newest else status)
    return _judged(
        workload, own, known, wanted=wanted, complete=complete, refused=refused or _stalled(status)
    )


def _stateful_set(workload: Workload, thing: Object, known: Objects) -> Verdict:
    wanted, status = int(thing["spec"].get("replicas", 1)), thing.get("status", {})
    own = [
        pod for pod in known.owned("Pod", thing)
        if pod["metadata"].get("labels", {}).get("controller-revision-hash") == status.get("updateRevision")
    ]  # fmt: skip
    complete = status.get("updatedReplicas", 0) >= wanted and status.get("readyReplicas", 0) >= wanted
    return _judged(workload, own, known, wanted=wanted, complete=complete, refused=_warned(thing, known))


def _daemon_set(workload: Workload, thing: Object, known: Objects) -> Verdict:
    status = thing.get("status", {})
    wanted, template = int(status.get("desiredNumberScheduled", 0)), thing["metadata"].get("template")
    own = [
        pod for pod in known.owned("Pod", thing)
        if template is None or pod["metadata"].get("labels", {}).get("pod-template-generation") == template
    ]  # fmt: skip
    complete = (
        status.get("updatedNumberScheduled", 0) >= wanted and status.get("numberAvailable", 0) >= wanted
    )
    return _judged(workload, own, known, wanted=wanted, complete=complete, refused=_warned(thing, known))


def _job(workload: Workload, thing: Object, known: Objects) -> Verdict:
    """A Job counts its own crashes; its pods say only what keeps them from starting."""
    status, own = thing.get("status", {}), known.owned("Pod", thing)
    names = _names(own)
    for condition in status.get("conditions", ()):
        if condition["type"] == "Failed" and condition["status"] == "True":
            why = condition.get("message") or condition.get("reason", "")
            return Verdict(
                outcome=Outcome.BAD, sentence=f"{workload.title} failed: {why}", pods=names, wanted=1
            )
        if condition["type"] == "Complete" and condition["status"] == "True":
            return Verdict(outcome=Outcome.GOOD, sentence=f"{workload.title} is done", ready=1, wanted=1)
    for pod in own:
        found = podlib.trouble(pod, known.events(pod))
        if found and "crashing" not in found.sentence and pod.get("status", {}).get("phase") != "Failed":
            return _of(pod, found, wanted=1)
    return Verdict(outcome=Outcome.WAITING, sentence=f"{workload.title} runs", pods=names, wanted=1)


JUDGES = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set, "Job": _job}


def _judged(
    workload: Workload,
    own: list[dict[str, Any]],
    known: Objects,
    *,
    wanted: int,
    complete: bool,
    refused: podlib.Trouble | None,
) -> Verdict:
    """Judge the pods OWN of the newest generation, of which WANTED are to be ready."""
    serving = tuple(pod["metadata"]["name"] for pod in own if podlib.ready(pod))
    troubles = [(pod, podlib.trouble(pod, known.events(pod))) for pod in own if not _leaving(pod)]
    for pod, found in troubles:
        if found and not found.waits_for:
            return _of(pod, found, ready=len(serving), wanted=wanted)
        for stranger in podlib.strangers(pod, workload.images):
            return _of(pod, podlib.Trouble(sentence=stranger), ready=len(serving), wanted=wanted)
    said = f"{min(len(serving), wanted)} of {wanted} replicas ready"
    verdict = Verdict(
        outcome=Outcome.WAITING, sentence=said, pods=_names(own), ready=len(serving), wanted=wanted, serving=serving
    )  # fmt: skip
    if complete and len(serving) >= wanted and (wanted > 0 or workload.kind == "DaemonSet"):
        return replace(verdict, outcome=Outcome.GOOD)
    for pod, found in troubles:
        if found:
            return replace(_of(pod, found, ready=len(serving), wanted=wanted), serving=serving)
    for pod in own:
        if not podlib.ready(pod) and (why := podlib.unready(pod, known.events(pod))):
            name = pod["metadata"]["name"]
            verdict = replace(verdict, sentence=f"{said}; pod {name}: {why}", pods=(name,))
            break
    if refused:
        outcome = Outcome.WAITING if refused.waits_for else Outcome.BAD
        sentence = f"{workload.title} {refused.sentence}; {verdict.sentence}"
        return replace(verdict, outcome=outcome, sentence=sentence, waits_for=refused.waits_for)
    return verdict


def _of(pod: Object, found: podlib.Trouble, *, ready: int = 0, wanted: int = 0) -> Verdict:
    name = pod["metadata"]["name"]
    outcome = Outcome.WAITING if found.waits_for else Outcome.BAD
    return Verdict(
        outcome=outcome, sentence=f"pod {name} {found.sentence}", pods=(name,), ready=ready, wanted=wanted, waits_for=found.waits_for
    )  # fmt: skip


def _refusal(status: Object) -> podlib.Trouble | None:
    """Return why the API server takes no pod of a ReplicaSet: quota may be freed, a policy does not change its mind."""
    for condition in status.get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return _classed(condition.get("message") or condition.get("reason", ""))
    return None


def _warned(thing: Object, known: Objects) -> podlib.Trouble | None:
    """Return the same for kinds that tell it in a warning alone, which may be one of an earlier release."""
    failed = [one["message"] for one in known.events(thing) if one["reason"] == "FailedCreate"]
    return replace(_classed(failed[-1]), waits_for=SCHEDULE) if failed else None


def _classed(message: str) -> podlib.Trouble:
    sentence = f"may not create pods: {podlib.short(message)}"
    if REFUSED.search(message):
        return podlib.Trouble(sentence=sentence)
    return podlib.Trouble(sentence=sentence, waits_for=SCHEDULE if "exceeded quota" in message else CONFIG)


def _stalled(status: Object) -> podlib.Trouble | None:
    for condition in status.get("conditions", ()):
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return podlib.Trouble(sentence="made no progress within its progressDeadlineSeconds")
        if condition["type"] == "Progressing" and condition.get("reason") == "ReplicaSetCreateError":
            return podlib.Trouble(
                sentence=f"cannot go on: {podlib.short(condition.get('message', ''))}", waits_for=CONFIG
            )
    return None


def _leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _names(pods: Iterable[Object]) -> tuple[str, ...]:
    return tuple(pod["metadata"]["name"] for pod in pods)
