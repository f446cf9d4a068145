"""The end of a review environment: what its releases made is deleted, then its slot is free.

Each part may be cut off and begun anew: the records, which say what there is, go last but one, the claim goes last.
"""

from __future__ import annotations

from collections.abc import Callable

from longshore.commands import kubectl
from longshore.errors import LockHeld
from longshore.graph.steps import Progress
from longshore.infra.outputs import Slot
from longshore.kubernetes.api import Api
from longshore.kubernetes.paths import collection
from longshore.rollout import guard, hooks, records, release, rights, served
from longshore.rollout.manifest import Manifest, Object
from longshore.rollout.site import Site
from longshore.rollout.slots import Board, Claim

QUOTA = {"pods": "20", "services.nodeports": "1", "services.loadbalancers": "0", "persistentvolumeclaims": "2"}


def prepare(site: Site, manifest: Manifest) -> None:
    """Make the namespace of a slot with the permissions in it, as MANIFEST has them, and bounds for what a branch asks.

    Raises Precondition for who may not.
    """
    guard.cluster(site.environment, Api(site.cluster, site.runner), site.eks)
    rights.ensure(site.cluster, site.runner, manifest.rights)
    metadata = {"name": "longshore-review", "namespace": site.cluster.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": QUOTA}}
    site.runner.run(kubectl.apply(site.cluster, kubectl.listed([quota])))


def end(site: Site, board: Board, slot: Slot, ends: Callable[[Claim], bool], progress: Progress) -> bool:
    """End what is in SLOT, which is SITE's, and give the slot back, if its claim ENDS; return whether it did.

    Raises LockHeld where it is deployed anew meanwhile, or a release there does not end in time.
    """
    guard.cluster(site.environment, Api(site.cluster, site.runner), site.eks)
    with release.leased(site, progress):  # so never in the middle of a release
        claim = dict(board.claims())[slot]
        if claim is None or not ends(claim):
            return False
        progress("deleting what its releases made")
        _delete(site)
        if board.free(slot, claim):
            return True
    hint = "if it is to end all the same, run the same command again"
    raise LockHeld(f"{claim.branch} was deployed anew while it was being ended", hint=hint)


def _delete(site: Site) -> None:
    """Delete what the records of SITE list, then the records."""
    api, namespace = Api(site.cluster, site.runner), site.cluster.namespace
    listed: dict[tuple[str, str], Object] = {}
    for each in records.history(site.cluster, site.runner):
        listed |= {(item["kind"], item["metadata"]["name"]): item for item in each.content.released}
    objects, _ = served.split(site, listed.values())
    objects += api.items(collection("Job", namespace), hooks.NAME)  # runs of hooks have names of their own
    if objects:
        site.runner.run(kubectl.delete_whole(site.cluster, [_named(item) for item in objects]))
    kept = [
        f"{kind.lower()}/{item['metadata']['name']}"
        for kind in ("Secret", "ConfigMap")  # a record's head, a ConfigMap, says what belongs to it
        for item in api.items(collection(kind, namespace), records.LABEL)
    ]
    if kept:
        site.runner.run(kubectl.delete_objects(site.cluster, tuple(kept)))


def _named(item: Object) -> Object:
    """Return what tells ITEM from others: its content, which may be a Secret, is nobody's business any more."""
    metadata = {key: value for key, value in item["metadata"].items() if key in ("name", "namespace")}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}
