"""Tells what probes do: a container that one killed from one that ended by itself, and a path that is not there. Pure.

The kubelet restarts what a probe killed without a back-off at first, and a program that ends well on SIGTERM exits with
code 0: neither state nor exit code shows a kill. Its `Killing` event is lost among failed probes (25 events a pod, then
one in five minutes), so restarts, failed probes and the container's age have to tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.settings.project import INJECTED

Object = Mapping[str, Any]

FAILED = re.compile(r"(Startup|Liveness) probe (?:failed|errored[^:]*): (.*)")
STATUS = re.compile(r"statuscode: (\d+)")
SILENT = re.compile(r"(?i)deadline exceeded|Client\.Timeout")
ABSENT = re.compile(r"(Startup|Readiness|Liveness) probe failed: HTTP probe failed with statuscode: 404")
SURE = 5.0, 15.0  # seconds after which a path that answered 404 all the time will not come: at least, and at most
NOT_LOADED = (
    ": the module that Longshore adds was not loaded, as where PYTHONPATH is replaced, or Python runs with -I, -E or -S"
)
DOWN = {"startup": "does not start", "liveness": "keeps restarting"}


def last_end(container: Object) -> Object:
    """Return how CONTAINER last ended (`exitCode`, `startedAt`, `finishedAt`); empty where it has not."""
    ends = ((container.get(state) or {}).get("terminated") for state in ("state", "lastState"))
    return next(filter(None, ends), {})


def killed(pod: Object, container: Object, warnings: Sequence[Object]) -> str:
    """Return that a probe killed CONTAINER of POD at least twice, by which, and why; else an empty text."""
    ends = int(container.get("restartCount", 0)) + bool((container.get("state") or {}).get("terminated"))
    kind, answer = _heard(container, warnings)
    probe = pod.get("probes", {}).get(container["name"], {}).get(f"{kind}Probe")
    if ends < 2 or not probe:
        return ""
    delay, times = int(probe.get("initialDelaySeconds", 0)), int(probe.get("failureThreshold", 3))
    period = int(probe.get("periodSeconds", 10))
    if _age(last_end(container)) < delay + (times - 1) * period - 1:
        return ""  # it ended before its probe had failed often enough
    often = "twice" if ends == 2 else f"{ends} times"
    limits = (f"{delay} s + " if delay else "") + f"{times} \N{MULTIPLICATION SIGN} {period} s"
    who = f"{DOWN[kind]}: the {kind} probe killed container {container['name']} {often}"
    return f"{who}: {_said(probe, answer)}; it has {delay + times * period} s ({limits})"


def absent(pod: Object, container: Object, warnings: Sequence[Object]) -> str:
    """Return which probe of POD's CONTAINER has heard 404 for as long as it waits, and where; else an empty text.

    A server that still starts refuses connections, or answers 503: one that knows no such path answers like this.
    """
    own = [warning for warning in warnings if warning["field"].endswith(f"{{{container['name']}}}")]
    last = max(own, key=lambda warning: str(warning["at"]), default=None)
    heard = ABSENT.match(last["message"]) if last else None
    running = (container.get("state") or {}).get("running") or {}
    probe = pod.get("probes", {}).get(container["name"], {}).get(f"{heard[1].lower()}Probe") if heard else None
    if not (last and heard and probe and "httpGet" in probe):
        return ""
    waits = int(probe.get("failureThreshold", 3)) * int(probe.get("periodSeconds", 10))
    lived = _age({"startedAt": running.get("startedAt", ""), "finishedAt": last["at"]})
    least, most = SURE
    if lived < int(probe.get("initialDelaySeconds", 0)) + min(max(waits, least), most):
        return ""
    path, kind = probe["httpGet"].get("path", "/"), heard[1].lower()
    setting = "readiness" if kind == "readiness" else "health"
    why = NOT_LOADED if path.startswith(f"{INJECTED}/") else f": `{setting}` under [application] says what to ask"
    return f"answers 404 to GET {path}, its {kind} probe{why}"


def _heard(container: Object, warnings: Sequence[Object]) -> tuple[str, str]:
    """Return which probe of CONTAINER failed last, and its answer; rather before its end than in its next life."""
    own = [warning for warning in warnings if warning["field"].endswith(f"{{{container['name']}}}")]
    failed = [(warning["at"], match) for warning in own if (match := FAILED.match(warning["message"]))]
    end = str(last_end(container).get("finishedAt", ""))
    until_then = [(at, match) for at, match in failed if at <= end] or failed
    if not until_then:
        return "", ""
    _, match = max(until_then, key=lambda heard: heard[0])
    return match[1].lower(), match[2]


def _age(end: Object) -> float:
    """Return how many seconds a container had lived at its END."""
    try:
        return (datetime.fromisoformat(end["finishedAt"]) - datetime.fromisoformat(end["startedAt"])).total_seconds()
    except (KeyError, ValueError):
        return 0.0


def _said(probe: Object, answer: str) -> str:
    """Return what PROBE asked and its ANSWER in the kubelet's words: `GET /livez answered 503`."""
    if "httpGet" in probe:
        asked = f"GET {probe['httpGet'].get('path', '/')}"
    elif "exec" in probe:
        asked = f"`{' '.join(probe['exec'].get('command', ()))}`"
    else:
        asked = f"{'gRPC at ' if 'grpc' in probe else ''}port {(probe.get('grpc') or probe['tcpSocket'])['port']}"
    if "httpGet" in probe and (status := STATUS.search(answer)):
        return f"{asked} answered {status[1]}"
    if SILENT.search(answer):
        return f"{asked} had no answer within {probe.get('timeoutSeconds', 1)} s"
    return f"{asked}: " + answer.rpartition('": ')[2][:200]
