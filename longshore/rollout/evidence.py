"""What a failed rollout leaves to read, saved before anything is undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, DeadlineExceeded, Failure
from longshore.rollout.api import UNANSWERED, Api
from longshore.rollout.mirror import PATHS
from longshore.runner import Runner

PODS = 3  # of the pods that failed, the first few say it all
LINES, BYTES = 400, 1 << 20  # of each log
SHOWN = 12  # lines of the log that says most
TIMEOUT = 5.0
NO_LOG = "unable to retrieve container logs"  # a container that is being removed answers with this as if it were its log


def save(cluster: Cluster, runner: Runner, pods: tuple[str, ...], folder: Path) -> str:
    """Save logs, events, objects and descriptions of PODS under FOLDER; return the last log lines of the first pod that wrote any.

    A part that cannot be had is left out: evidence never stops a rollback.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = ""
    try:
        api = Api(cluster, runner)
    except Failure:
        return last
    for pod in pods[:PODS]:
        for name, previous in _containers(api, pod):
            text = _try(lambda: _log(api, pod, name, previous))  # noqa: B023 - called at once
            if text and not text.startswith(NO_LOG):
                (folder / f"{pod}.{name}{'.previous' if previous else ''}.log").write_text(text)
                last = last or "\n".join(text.splitlines()[-SHOWN:])
    objects: dict[str, Any] = {}
    for kind, path in PATHS.items():
        items = _try(lambda: [i for page in api.pages(path.format(api.namespace)) for i in page["items"]])  # noqa: B023
        if items:
            objects[kind] = items
    (folder / "objects.json").write_text(json.dumps(objects, indent=1))
    if pods:
        try:
            said = runner.run(kubectl.describe(cluster, "pods", pods[:PODS]), check=False).stdout
            (folder / "describe.txt").write_text(said)
        except (CommandFailed, DeadlineExceeded):
            pass
    return last


def _containers(api: Api, pod: str) -> list[tuple[str, bool]]:
    """Return the logs that POD has: each container's, and the one before its last restart, which has the cause, first."""
    found = _try(lambda: api.get(f"{PATHS['Pod'].format(api.namespace)}/{pod}", TIMEOUT)) or {"spec": {}}
    status = found.get("status", {})
    logs = []
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        again = bool(one.get("restartCount"))
        logs += [(one["name"], True)] * again + [(one["name"], False)] * bool(one.get("containerID"))
    return logs


def _log(api: Api, pod: str, container: str, previous: bool) -> str:
    options = f"container={container}&tailLines={LINES}&limitBytes={BYTES}&previous={str(previous).lower()}"
    return api.text(f"{PATHS['Pod'].format(api.namespace)}/{pod}/log?{options}", TIMEOUT).strip()


def _try(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except UNANSWERED:
        return None
