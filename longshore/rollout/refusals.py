"""Why Kubernetes makes no pods for a workload, and whether it is of the manifest that was applied. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from longshore.kubernetes.mirror import Objects
from longshore.rollout.pods import CONFIG, SCHEDULE, Trouble, condition, short

Object = Mapping[str, Any]

ROOM = re.compile(r"exceeded quota|already exists")  # until an old pod of the same name is gone
REFUSED = re.compile(r"(?i)violates PodSecurity|denied the request|is invalid")


def refusal(item: Object, known: Objects) -> Trouble | None:
    """Return why the API server refuses a ReplicaSet's pods: quota may be freed, a policy does not change its mind."""
    failure, refused = condition(item, "ReplicaFailure"), _refusals(item, known)
    if failure.get("status") != "True":
        return None
    trouble = _classed(failure.get("message") or failure.get("reason", ""))
    # Its time is that of the first refusal, however many follow.
    return replace(trouble, stale=not refused and not known.counts(item, failure.get("lastTransitionTime", "")))


def warned(live: Object, known: Objects) -> Trouble | None:
    """Return the same for kinds that report it only in warnings, which stay when a later attempt succeeds."""
    made = max((pod["metadata"].get("creationTimestamp", "") for pod in known.owned("Pod", live)), default="")
    refused = [warning for warning in _refusals(live, known) if not warning["at"] or warning["at"] >= made]
    return _classed(refused[-1]["message"]) if refused else None


def _refusals(item: Object, known: Objects) -> list[Any]:
    return [warning for warning in known.events(item) if warning["reason"] == "FailedCreate"]


def _classed(message: str) -> Trouble:
    sentence = f"cannot create pods: {short(message)}"
    if REFUSED.search(message):
        return Trouble(sentence)
    return Trouble(sentence, SCHEDULE if ROOM.search(message) else CONFIG)


def stalled(live: Object, known: Objects) -> Trouble | None:
    """Return why the rollout of a Deployment makes no progress, by its own condition."""
    progressing = condition(live, "Progressing")
    at = str(progressing.get("lastUpdateTime", ""))
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        stale = not _overdue(live, at, known.since)
        return Trouble("made no progress within its progressDeadlineSeconds", stale=stale)
    if progressing.get("reason") == "ReplicaSetCreateError":
        sentence = f"cannot create its ReplicaSet: {short(progressing.get('message', ''))}"
        return Trouble(sentence, CONFIG, stale=not known.counts(live, at))
    return None


def _overdue(live: Object, at: str, since: str) -> bool:
    """Return whether what was applied SINCE had its whole progress deadline before that ended AT.

    Kubernetes keeps the condition until a replica more is ready, and measures from progress before the application.
    """
    if not at or not since:
        return True
    passed = datetime.fromisoformat(at) - datetime.fromisoformat(since)
    return passed.total_seconds() >= int(live["spec"].get("progressDeadlineSeconds", 600))
