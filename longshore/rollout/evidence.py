"""What a failed rollout leaves to read, saved before anything is rolled back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, DeadlineExceeded, Failure, ToolMissing
from longshore.files import private_folder, write_atomically
from longshore.kubernetes import mirror, paths
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.process.runner import Runner

PODS = 3  # the first few failed pods say it all
LINES, BYTES = 400, 1 << 20  # of each log
SHOWN = 12  # lines of the most useful log
TIMEOUT = 5.0
NO_LOG = "unable to retrieve container logs"  # the text in place of the log while a container is being removed


def save(cluster: Cluster, runner: Runner, pods: tuple[str, ...], folder: Path) -> str:
    """Save PODS' logs and descriptions and the namespace's objects in FOLDER; return the end of the first log.

    FOLDER and its parent become private, and the secrets that RUNNER knows are redacted. What cannot be fetched is left
    out: evidence never stops a rollback.
    """
    private_folder(folder.parent)
    private_folder(folder)
    redactor = runner.redactor
    last = ""
    try:
        api = Api(cluster, runner)
    except Failure:
        return last
    for pod in pods[:PODS]:
        for container, previous in _logs(api, pod):
            text = _try(_log, api, pod, container, previous)
            if text and not text.startswith(NO_LOG):
                text = redactor.text(text)
                _write(folder / f"{pod}.{container}{'.previous' if previous else ''}.log", text)
                last = last or "\n".join(text.splitlines()[-SHOWN:])
    objects = {kind: items for kind in mirror.KINDS if (items := _try(_items, api, kind))}
    _write(folder / "objects.json", json.dumps(redactor.data(objects), indent=1))
    if pods:
        try:
            description = runner.run(kubectl.describe(cluster, "pods", pods[:PODS]), check=False).stdout
            _write(folder / "describe.txt", redactor.text(description))
        except (CommandFailed, DeadlineExceeded, ToolMissing):
            pass
    if "Read-only file system" in last or "unable to open database file" in last:  # the second is SQLite's
        last += '\n`writable = ["/srv/…"]` under [application] names folders to write to, which are empty at each start'
    return last


def _write(path: Path, text: str) -> None:
    write_atomically(path, text, 0o600, sync=False)


def _items(api: Api, kind: str) -> list[dict[str, Any]]:
    return [item for page in api.pages(paths.collection(kind, api.namespace)) for item in page["items"]]


def _logs(api: Api, name: str) -> list[tuple[str, bool]]:
    """Return the logs of the pod NAME as (container, previous); the one before a restart has the cause: it is first."""
    pod = _try(api.get, f"{paths.collection('Pod', api.namespace)}/{name}", TIMEOUT) or {}
    status = pod.get("status", {})
    logs = []
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if container.get("restartCount"):
            logs.append((container["name"], True))
        if container.get("containerID"):
            logs.append((container["name"], False))
    return logs


def _log(api: Api, pod: str, container: str, previous: bool) -> str:
    options = f"container={container}&tailLines={LINES}&limitBytes={BYTES}&previous={str(previous).lower()}"
    return api.text(f"{paths.collection('Pod', api.namespace)}/{pod}/log?{options}", TIMEOUT).strip()


def _try(request: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return request(*arguments)
    except UNANSWERED:
        return None
