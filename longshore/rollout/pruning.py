"""Deletes what left the manifest, as long as it was Longshore that created it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from longshore.commands import kubectl
from longshore.commands.kubectl import FIELD_MANAGER
from longshore.rollout import served
from longshore.rollout.manifest import Manifest, Object
from longshore.rollout.scaled import KEEPER
from longshore.rollout.site import Site

OURS = {FIELD_MANAGER, KEEPER}
READ = ("ConfigMap", "Secret")  # by a pod, when it starts


def prune(site: Site, *, old: Iterable[Manifest], now: Manifest) -> tuple[str, ...]:
    """Delete what OLD manifests roll out and NOW does not, if Longshore created it; return it as `kind/name`."""
    wanted = {_key(item) for item in now.rolled_out}
    gone = {_key(item): item for manifest in old for item in manifest.rolled_out if _key(item) not in wanted}
    there, _ = served.split(site, gone.values())
    if not there:
        return ()
    answer = site.runner.run(kubectl.get_manifest(site.cluster, there, managed=True)).stdout
    existing = json.loads(answer).get("items", []) if answer.strip() else []
    ours = tuple(f"{item['kind'].lower()}/{item['metadata']['name']}" for item in existing if created_here(item))
    if ours:
        site.runner.run(kubectl.delete_objects(site.cluster, ours))
    return ours


def missed(old: Manifest, now: Manifest) -> bool:
    """Return whether NOW lacks what a pod of OLD may still ask while it drains. What a pod mounts, it has read."""
    wanted = {_key(item) for item in now.rolled_out}
    return any(_key(item) not in wanted for item in old.rolled_out if item["kind"] not in READ)


def _key(item: Object) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def created_here(item: Object) -> bool:
    """Return whether Longshore was the first to write ITEM; of somebody else in the same second, it was not.

    Times are whole seconds. Kubernetes' own controllers write only what exists, and that within the same second, too.
    """
    entries = item["metadata"].get("managedFields", [])
    ours = [str(entry.get("time", "")) for entry in entries if entry.get("manager") in OURS]
    others = (entry for entry in entries if entry.get("manager") not in OURS and not entry.get("subresource"))
    people = (entry for entry in others if not str(entry.get("manager")).startswith("kube-"))
    return bool(ours) and all(min(ours) < str(entry.get("time", "")) for entry in people)
