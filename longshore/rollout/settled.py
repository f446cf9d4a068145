"""Whether a release has nothing to do, asked of the cluster itself."""

from __future__ import annotations

import json
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.rollout import hooks, records, watch
from longshore.rollout.render import MANIFEST, Manifest
from longshore.rollout.verdict import Outcome, workloads
from longshore.runner import Runner


def settled(cluster: Cluster, runner: Runner, manifest: Manifest) -> str | None:
    """Return a reason when CLUSTER already runs MANIFEST, is well, and no run has left a release unfinished."""
    rolled = Manifest(text=hooks.split(manifest.text)[""], mark=manifest.mark)
    result = runner.run(kubectl.get_manifest(cluster, rolled.text), check=False)
    if result.exit_code != 0 or not result.stdout.strip():
        return None
    items = json.loads(result.stdout).get("items", [])
    wanted = rolled.objects()
    if len(items) != len(wanted):
        return None
    marks = {
        thing["metadata"].get("annotations", {}).get(MANIFEST)
        for thing in items
        if thing["kind"] == "Deployment"
    }
    if marks != {manifest.mark} or not _replicas_kept(wanted, items):
        return None
    verdicts = watch.look(cluster, runner, workloads(wanted))
    if any(verdict.outcome is not Outcome.GOOD for verdict in verdicts):
        return None
    if records.unfinished(cluster, runner):
        return None
    return f"serving already, {verdicts[0].sentence}"


def _replicas_kept(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> bool:
    """Return whether nobody scaled by hand; where the manifest leaves the number to an autoscaler, any above 0 is right."""
    have = {
        thing["metadata"]["name"]: thing["spec"].get("replicas", 1)
        for thing in found
        if thing["kind"] == "Deployment"
    }
    for thing in wanted:
        if thing["kind"] == "Deployment":
            replicas = thing["spec"].get("replicas")
            actual = have.get(thing["metadata"]["name"], 0)
            if actual == 0 or (replicas is not None and actual != replicas):
                return False
    return True
