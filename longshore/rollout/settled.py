"""Whether a release has nothing to do, asked of the cluster itself: in milliseconds, so without kubectl where the kinds are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import StateUnknown
from longshore.rollout import hooks, records, watch
from longshore.rollout.api import UNANSWERED, Api
from longshore.rollout.apply import Object, known, path
from longshore.rollout.render import MANIFEST, Manifest
from longshore.rollout.verdict import Outcome, workloads
from longshore.rollout.verify import Unverified
from longshore.runner import Runner

PATIENCE = 2.0  # seconds in which the public address may yet come to answer, before all is released anew, with progress


def settled(cluster: Cluster, runner: Runner, manifest: Manifest, check: Callable[[], object]) -> str | None:
    """Return a reason when CLUSTER already runs MANIFEST, is well, and no run has left a release unfinished.

    CHECK raises Unverified where the public address does not answer with it. Pods that are ready do not serve yet: a load balancer, or
    kube-proxy after a start, learns of them a moment later.
    """
    rolled = Manifest(text=hooks.split(manifest.text)[""], mark=manifest.mark)
    wanted = rolled.objects()
    api = Api(cluster, runner)
    try:
        found = (
            api.several(path(thing, api.namespace) for thing in wanted)
            if known(wanted, api.namespace)
            else _asked(cluster, runner, rolled)
        )
        items = [one for one in found if one]
        if len(items) < len(found) or api.get(records.unfinished(cluster.namespace))["items"]:
            return None
        deployments = [one for one in items if one["kind"] == "Deployment"]
        marks = {one["metadata"].get("annotations", {}).get(MANIFEST) for one in deployments}
        if marks != {manifest.mark} or not _replicas_kept(wanted, items):
            return None
        verdicts = watch.look(api, workloads(wanted))
        if any(verdict.outcome is not Outcome.GOOD for verdict in verdicts):
            return None
        check()
    except (*UNANSWERED, StateUnknown, Unverified):
        return None  # the release itself says what is wrong
    return f"serving already, {verdicts[0].sentence}"


def _asked(cluster: Cluster, runner: Runner, rolled: Manifest) -> list[Object | None]:
    """Ask kubectl, which knows the kinds that this cluster was taught; one None stands for what is missing."""
    said = runner.run(kubectl.get_manifest(cluster, rolled.text)).stdout
    items: list[Object | None] = json.loads(said or "{}").get("items", [])
    return items if len(items) == len(rolled.objects()) else [None]


def _replicas_kept(wanted: list[Object], found: Iterable[Object]) -> bool:
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
