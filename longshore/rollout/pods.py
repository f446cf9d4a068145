"""What is wrong with a pod, by its status and the warnings about it. Pure: objects in, words out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from longshore.kubernetes.mirror import Objects
from longshore.rollout.kills import absent, killed, last_end

Object = Mapping[str, Any]

LOOP = 600.0  # seconds between two crashes above which they are no loop; the kubelet resets its back-off then, too
GONE = re.compile(r"(?i)not found|manifest unknown|does not exist|no match for platform|invalid reference")
UNREACHED = re.compile(r"(?i)no such host|server misbehaving|dial tcp|timeout|deadline exceeded|connection re")
MISSING = re.compile(r"(?i)not found|couldn't find key|non-existent")
MOMENTARY = re.compile(r"(?i)deadline exceeded|timed? ?out|unavailable|connection re")
ARCHITECTURE = "exec format error"

# What a pod may wait for, each with a budget.
PULL, SCHEDULE, NODE, VOLUME, CONFIG = "pull", "schedule", "node", "volume", "config"


class Trouble(Struct, frozen=True):
    """Why a pod does not become ready. `waits_for` names what may still come; empty: waiting will not help.

    One that is `stale` is from before the manifest was applied: it may have passed, so it explains and decides nothing.
    """

    sentence: str
    waits_for: str = ""
    crash: bool = False
    stale: bool = False

    @property
    def decides(self) -> bool:
        return not self.waits_for and not self.stale


def condition(item: Object, kind: str) -> Object:
    """Return the condition KIND (`Ready`, `Failed`) of an object; empty where its status has none."""
    conditions = item.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), {})


def trouble(pod: Object, known: Objects) -> Trouble | None:
    """Return what keeps POD from becoming ready, or None if nothing is known to."""
    status, warnings = pod.get("status", {}), known.events(pod)
    problems = []
    for container, initial in _containers(pod):
        problem = _waiting(pod, container, warnings) or _crashed(pod, container, initial, warnings)
        if not problem and known.counts(pod, "") and (sentence := killed(pod, container, warnings)):
            problem = Trouble(sentence, crash=True)  # of an older pod, restarts may be as old
        if not problem and (sentence := absent(pod, container, warnings)):
            problem = Trouble(sentence)
        if problem:
            problems.append(problem if _counts(pod, container, problem, known) else replace(problem, stale=True))
    if problems:
        return min(problems, key=lambda problem: problem.stale)
    if status.get("phase") == "Failed":  # evicted, or its node shuts down: its owner makes another one
        why = status.get("message") or status.get("reason") or "no reason given"
        return Trouble(f"failed: {short(why)}", SCHEDULE)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        return Trouble(f"cannot be scheduled: {short(scheduled.get('message', ''))}", SCHEDULE)
    if scheduled.get("status") == "True" and not status.get("startTime"):  # which a kubelet sets when it takes the pod
        return Trouble(f"was given to the node {pod['spec'].get('nodeName')}, which has not taken it", NODE)
    started = any(container.get("containerID") for container, _ in _containers(pod))
    return None if started else _unstarted(warnings)


def unready(pod: Object, warnings: Iterable[Object] = ()) -> str:
    """Return why a running pod is not ready: how its containers last ended, and its last failed probe."""
    reasons = [
        f"container {container['name']} {ended(container)}"
        for container, _ in _containers(pod)
        if container.get("restartCount", 0) or "terminated" in (container.get("state") or {})
    ]
    return "; ".join(filter(None, [*reasons, probe(warnings)]))


def probe(warnings: Iterable[Object]) -> str:
    """Return the last failed probe: `Readiness probe failed: HTTP probe failed with statuscode: 503`."""
    messages = [warning["message"] for warning in warnings if warning["reason"] == "Unhealthy"]
    return short(messages[-1]) if messages else ""


def ended(container: Object) -> str:
    """Return how CONTAINER last ended: `exited with code 3`, `was killed by signal 11 (exit code 139)`."""
    last = last_end(container)
    code, reason = last.get("exitCode", "?"), last.get("reason", "")
    message = short(last.get("message", ""))
    if ARCHITECTURE in message:
        return f"cannot run: the image is for another CPU architecture ({ARCHITECTURE}, exit code {code})"
    if reason == "OOMKilled":
        return f"exceeded its memory limit and was killed (OOMKilled, exit code {code})"
    if reason in ("ContainerCannotRun", "StartError"):
        return f"cannot be started: {message} (exit code {code})"
    if last.get("signal") or (isinstance(code, int) and code > 128):
        return f"was killed by signal {last.get('signal') or code - 128} (exit code {code})"
    return f"exited with code {code}"


def crashes(pod: Object) -> int:
    """Return how often POD's containers were restarted."""
    return sum(int(container.get("restartCount", 0)) for container, _ in _containers(pod))


def ready(pod: Object) -> bool:
    """Return whether POD is ready and not being deleted."""
    return condition(pod, "Ready").get("status") == "True" and not pod["metadata"].get("deletionTimestamp")


def strangers(pod: Object, images: Mapping[str, str]) -> Iterator[str]:
    """Yield each container of POD whose image, as the runtime reports it, is not the digest that IMAGES pin for it."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        wanted = _digest(images.get(status["name"], ""))
        running = _digest(status.get("imageID", ""))
        if wanted and running and running != wanted:
            yield f"runs the wrong image in container {status['name']}: {running[:19]} instead of {wanted[:19]}"


def short(text: str, limit: int = 240) -> str:
    """Return TEXT on one line; of a long one only the end, which has the cause."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"…{line[-limit:]}"


def old(count: int) -> str:
    """Return COUNT old pods in words."""
    return f"{count} old pod" + "s" * (count != 1)


def draining(count: int) -> str:
    """Return that COUNT old pods are draining, an empty text for none."""
    return f"{old(count)} {'is' if count == 1 else 'are'} draining" if count else ""


def _counts(pod: Object, container: Object, problem: Trouble, known: Objects) -> bool:
    """Return whether CONTAINER's PROBLEM is one of the applied manifest: a pod that is older keeps what it had."""
    if problem.crash:
        return known.counts(pod, str(last_end(container).get("finishedAt", "")))
    tried = (
        event["at"] for event in known.events(pod) if event["reason"] == "Failed" and "BackOff" not in event["message"]
    )
    return known.counts(pod, max(tried, default=""))


def _unstarted(warnings: Sequence[Object]) -> Trouble | None:
    """Return what keeps a pod from having any container, which only the warnings tell."""
    for warning in reversed(warnings):
        if warning["reason"] in ("FailedMount", "FailedAttachVolume"):
            waits_for = CONFIG if MISSING.search(warning["message"]) else VOLUME
            return Trouble(f"cannot mount its volumes: {short(warning['message'])}", waits_for)
        if warning["reason"] == "FailedCreatePodSandBox":
            return Trouble(f"cannot set up its network: {short(warning['message'])}", SCHEDULE)
    return None


def _waiting(pod: Object, container: Object, warnings: Sequence[Object]) -> Trouble | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, name = waiting.get("reason", ""), container["name"]
    message = short(waiting.get("message", ""))
    because = f"({reason}): {message}" if message else f"({reason})"
    if reason == "CrashLoopBackOff":
        return _loop(pod, container, warnings)
    if reason in ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"):
        # The status alternates between the cause and "back-off"; the warnings keep the cause.
        causes = [message, *(warning["message"] for warning in warnings if warning["reason"] == "Failed")]
        cause = next((text for text in causes if GONE.search(text) and not UNREACHED.search(text)), "")
        because = f"({reason}): {short(cause)}" if cause else because
        return Trouble(f"cannot pull the image of container {name} {because}", "" if cause else PULL)
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return Trouble(f"cannot use the image of container {name} {because}")
    if reason == "CreateContainerConfigError":
        return Trouble(f"cannot configure container {name} {because}", CONFIG if MISSING.search(message) else "")
    if reason in ("CreateContainerError", "RunContainerError"):
        return Trouble(f"cannot start container {name} {because}", CONFIG if MOMENTARY.search(message) else "")
    return None


def _crashed(pod: Object, container: Object, initial: bool, warnings: Sequence[Object]) -> Trouble | None:
    """Return the trouble of a container that has ended twice. One crash is tolerated: it may recover."""
    now = (container.get("state") or {}).get("terminated")
    before = (container.get("lastState") or {}).get("terminated")
    if not now or not before or not container.get("restartCount") or (initial and now.get("exitCode") == 0):
        return None
    with contextlib.suppress(KeyError, ValueError):
        apart = datetime.fromisoformat(now["finishedAt"]) - datetime.fromisoformat(before["finishedAt"])
        if apart.total_seconds() > LOOP:
            return None
    return _loop(pod, container, warnings)


def _loop(pod: Object, container: Object, warnings: Sequence[Object]) -> Trouble:
    if sentence := killed(pod, container, warnings):
        return Trouble(sentence, crash=True)
    how = ended(container)
    if how == "exited with code 0":
        how += ", but a service must keep running"
    failed = probe(warnings)
    because = f" after {failed}" if failed.startswith(("Liveness", "Startup")) else ""
    return Trouble(f"keeps crashing: container {container['name']} {how}{because}", crash=True)


def _containers(pod: Object) -> Iterator[tuple[Object, bool]]:
    """Yield the status of each of POD's containers, and whether it is an init container."""
    for group in ("initContainerStatuses", "containerStatuses"):
        yield from ((container, group.startswith("init")) for container in pod.get("status", {}).get(group) or ())


def _digest(image: str) -> str:
    return image.rpartition("@")[2] if "@" in image else ""
