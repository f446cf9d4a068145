"""What a failed rollout leaves to read, saved before anything is undone."""

from __future__ import annotations

import json
from pathlib import Path

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import Failure
from longshore.runner import Runner

PODS = 3  # of the pods that failed, the first few say it all


def save(cluster: Cluster, runner: Runner, pods: tuple[str, ...], folder: Path) -> str:
    """Save logs, events and descriptions of PODS under FOLDER; return the last log lines of the first pod that wrote any.

    A part that cannot be had is left out: evidence never stops a rollback.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = ""
    for pod in pods[:PODS]:
        for previous in (True, False):
            text = _try(runner, cluster, pod, previous)
            if text:
                (folder / f"{pod}{'.previous' if previous else ''}.log").write_text(text)
                last = last or "\n".join(text.splitlines()[-12:])
    try:
        found = runner.run(kubectl.get(cluster, "events,pods,replicasets,deployments")).stdout
        (folder / "objects.json").write_text(json.dumps(json.loads(found), indent=1))
    except (Failure, ValueError):
        pass
    return last


def _try(runner: Runner, cluster: Cluster, pod: str, previous: bool) -> str:
    try:
        return runner.run(kubectl.logs(cluster, pod, previous=previous)).stdout.strip()
    except Failure:
        return ""
