"""What is wrong with a pod, as its status and the warnings about it say. Pure: objects in, words out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = Mapping[str, Any]

LOOP = 600.0  # seconds between two crashes above which they are no loop; the kubelet forgets the first by then, too
GONE = re.compile(
    r"not found|manifest unknown|does not exist|no match for platform|invalid reference", re.IGNORECASE
)
UNREACHED = re.compile(
    r"no such host|server misbehaving|dial tcp|timeout|deadline exceeded|connection re", re.IGNORECASE
)
MISSING = re.compile(r"not found|couldn't find key|non-existent", re.IGNORECASE)
MOMENTARY = re.compile(r"deadline exceeded|timed? ?out|unavailable|connection re", re.IGNORECASE)
ARCHITECTURE = "exec format error"

PULL, SCHEDULE, VOLUME, CONFIG = "pull", "schedule", "volume", "config"  # what a pod may wait for a while


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a pod does not become ready. `waits_for` says what may still come; an empty text: no waiting mends it."""

    sentence: str
    waits_for: str = ""


def trouble(pod: Object, warnings: Iterable[Object] = ()) -> Trouble | None:
    """Return what keeps POD from becoming ready, or None where nothing is known to."""
    status, warnings = pod.get("status", {}), list(warnings)
    for container, initial in _containers(status):
        found = _waiting(container, warnings) or _crashed(container, initial, warnings)
        if found:
            return found
    if status.get("phase") == "Failed":  # evicted, or its node shuts down: its owner makes another one
        why = status.get("message") or status.get("reason") or "no reason given"
        return Trouble(sentence=f"failed: {short(why)}", waits_for=SCHEDULE)
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Trouble(sentence=f"has no node: {short(condition.get('message', ''))}", waits_for=SCHEDULE)
    if any(container.get("containerID") for container, _ in _containers(status)):
        return None
    return _unstarted(warnings)


def unready(pod: Object, warnings: Iterable[Object] = ()) -> str:
    """Return what a pod that runs says about not being ready: its failed probe, or how its container ended last."""
    said = [probe(warnings)]
    for container, _ in _containers(pod.get("status", {})):
        if container.get("restartCount", 0) or "terminated" in (container.get("state") or {}):
            said.insert(0, f"container {container['name']} {ended(container)}")
    return "; ".join(filter(None, said))


def probe(warnings: Iterable[Object]) -> str:
    """Return the last failed probe with its message: `Readiness probe failed: HTTP probe failed with statuscode: 503`."""
    failed = [warning["message"] for warning in warnings if warning["reason"] == "Unhealthy"]
    return short(failed[-1]) if failed else ""


def ended(container: Object) -> str:
    """Return how CONTAINER ended the last time: `exited with 3`, or why it was killed."""
    now = (container.get("state") or {}).get("terminated")
    last = now or (container.get("lastState") or {}).get("terminated") or {}
    code, reason = last.get("exitCode", "?"), last.get("reason", "")
    message = short(last.get("message", ""))
    if ARCHITECTURE in message:
        return f"exited with {code}: the image is for another processor architecture ({ARCHITECTURE})"
    if reason == "OOMKilled":
        return f"exited with {code}: it was killed for using more than its memory limit (OOMKilled)"
    if reason in ("ContainerCannotRun", "StartError"):
        return f"exited with {code}: it cannot be started: {message}"
    if last.get("signal") or (isinstance(code, int) and code > 128):
        return f"exited with {code}: it was killed by signal {last.get('signal') or code - 128}"
    return f"exited with {code}"


def crashes(pod: Object) -> int:
    """Return how often POD's containers were started again."""
    return sum(int(one.get("restartCount", 0)) for one, _ in _containers(pod.get("status", {})))


def ready(pod: Object) -> bool:
    """Return whether POD is ready and stays."""
    conditions = pod.get("status", {}).get("conditions", ())
    said = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return said and not pod["metadata"].get("deletionTimestamp")


def strangers(pod: Object, images: Mapping[str, str]) -> Iterator[str]:
    """Yield each container of POD that runs another content than IMAGES pin for it, as the runtime reports it."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        wanted = _digest(images.get(status["name"], ""))
        running = _digest(status.get("imageID", ""))
        if wanted and running and running != wanted:
            yield f"container {status['name']} runs {running[:19]} instead of {wanted[:19]}"


def short(text: str, limit: int = 240) -> str:
    """Return TEXT on one line; of a long one the end, where the cause stands."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"…{line[-limit:]}"


def _unstarted(warnings: list[Object]) -> Trouble | None:
    """Return what keeps a pod from having any container: the warnings alone tell."""
    for warning in reversed(warnings):
        if warning["reason"] in ("FailedMount", "FailedAttachVolume"):
            missing = CONFIG if MISSING.search(warning["message"]) else VOLUME
            return Trouble(
                sentence=f"cannot have its volumes: {short(warning['message'])}", waits_for=missing
            )
        if warning["reason"] == "FailedCreatePodSandBox":
            return Trouble(
                sentence=f"cannot be given a network: {short(warning['message'])}", waits_for=SCHEDULE
            )
    return None


def _waiting(container: Object, warnings: list[Object]) -> Trouble | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, name = waiting.get("reason", ""), container["name"]
    message = short(waiting.get("message", ""))
    said = f"({reason}): {message}" if message else f"({reason})"
    if reason == "CrashLoopBackOff":
        return _loop(container, warnings)
    if reason in ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"):
        # The status alternates between the cause and "back-off"; the warnings keep the cause.
        causes = [message, *(w["message"] for w in warnings if w["reason"] == "Failed")]
        cause = next((text for text in causes if GONE.search(text) and not UNREACHED.search(text)), "")
        told = f"({reason}): {short(cause)}" if cause else said
        return Trouble(
            sentence=f"cannot pull the image of container {name} {told}", waits_for="" if cause else PULL
        )
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return Trouble(sentence=f"names an image for container {name} that cannot be had {said}")
    if reason == "CreateContainerConfigError":
        later = CONFIG if MISSING.search(message) else ""
        return Trouble(sentence=f"cannot configure container {name} {said}", waits_for=later)
    if reason in ("CreateContainerError", "RunContainerError"):
        later = CONFIG if MOMENTARY.search(message) else ""
        return Trouble(sentence=f"cannot start container {name} {said}", waits_for=later)
    return None


def _crashed(container: Object, initial: bool, warnings: list[Object]) -> Trouble | None:
    """Return the trouble of a container that has ended for the second time. One crash is tolerated: it may recover."""
    now = (container.get("state") or {}).get("terminated")
    before = (container.get("lastState") or {}).get("terminated")
    if not now or not before or not container.get("restartCount") or (initial and now.get("exitCode") == 0):
        return None
    try:
        apart = datetime.fromisoformat(now["finishedAt"]) - datetime.fromisoformat(before["finishedAt"])
        if apart.total_seconds() > LOOP:
            return None
    except (KeyError, ValueError):
        pass
    return _loop(container, warnings)


def _loop(container: Object, warnings: list[Object]) -> Trouble:
    how = ended(container)
    if how == "exited with 0":
        how += ", and a service must not end"
    failed = probe(warnings)
    because = f" after {failed}" if failed.startswith(("Liveness", "Startup")) else ""
    return Trouble(sentence=f"keeps crashing: container {container['name']} {how}{because}")


def _containers(status: Object) -> Iterator[tuple[Object, bool]]:
    """Yield each container's status, and whether it is one that ends before the others begin."""
    yield from ((one, True) for one in status.get("initContainerStatuses") or ())
    yield from ((one, False) for one in status.get("containerStatuses") or ())


def _digest(image: str) -> str:
    return image.rpartition("@")[2] if "@" in image else ""
