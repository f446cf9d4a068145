"""What left the manifest leaves the cluster, as long as it was Longshore that brought it there."""

from __future__ import annotations

import json
from collections.abc import Iterable

from longshore.commands import kubectl
from longshore.commands.kubectl import FIELD_MANAGER, Cluster
from longshore.rollout import hooks
from longshore.rollout.render import Manifest
from longshore.runner import Runner


def prune(cluster: Cluster, runner: Runner, *, old: Iterable[str], now: str) -> list[str]:
    """Delete the objects of the manifests OLD that NOW no longer has; return them as `kind/name`.

    One that somebody else created stays: the oldest entry of its managed fields says who that was.
    """
    kept = set(_named(now))
    gone = {name: thing for text in old for name, thing in _named(text).items() if name not in kept}
    if not gone:
        return []
    asked = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(gone.values())})
    found = runner.run(kubectl.get_manifest(cluster, asked, managed=True)).stdout
    things = json.loads(found).get("items", []) if found.strip() else []
    ours = [f"{one['kind'].lower()}/{one['metadata']['name']}" for one in things if _created_here(one)]
    if ours:
        runner.run(kubectl.delete_objects(cluster, tuple(ours)))
    return ours


def _named(text: str) -> dict[tuple[str, str], dict[str, object]]:
    things = Manifest(text=hooks.split(text)[""], mark="").objects()
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in things}


def _created_here(thing: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    entries = thing["metadata"].get("managedFields", [])
    first = min(entries, key=lambda entry: entry.get("time", ""), default={})
    return first.get("manager") == FIELD_MANAGER
