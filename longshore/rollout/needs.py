"""What the pods of hooks name in their own manifest, and so need before they run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from longshore.rollout.manifest import Object
from longshore.rollout.selectors import selects, specified
from longshore.rollout.workloads import ANY

# Where a pod, or a ServiceAccount, names an object: the field that holds the name, and the object's kind.
FIELDS = {
    "configMap": ("name", "ConfigMap"),
    "configMapRef": ("name", "ConfigMap"),
    "configMapKeyRef": ("name", "ConfigMap"),
    "secret": ("secretName", "Secret"),
    "secretRef": ("name", "Secret"),
    "secretKeyRef": ("name", "Secret"),
    "persistentVolumeClaim": ("claimName", "PersistentVolumeClaim"),
}
POLICY = "NetworkPolicy"
KINDS = {"ServiceAccount", *(kind for _, kind in FIELDS.values())}

Key = tuple[str, str]


def needed(hooks: Iterable[Object], objects: Iterable[Object]) -> list[Object]:
    """Return those of OBJECTS, in their order, without which pods of HOOKS would not start, or reach nothing."""
    hooks = list(hooks)
    candidates = {key(item): item for item in objects if item["kind"] in KINDS or _lets(item, hooks)}
    names = {named for hook in hooks for named in _named(hook["spec"]["template"]["spec"])}
    accounts = [candidates[name] for name in names & candidates.keys() if name[0] == "ServiceAccount"]
    names.update(named for account in accounts for named in _named(account))
    names.update(name for name in candidates if name[0] == POLICY)
    return [item for name, item in candidates.items() if name in names]


def _lets(item: Object, hooks: Iterable[Object]) -> bool:
    """Return whether ITEM is a NetworkPolicy for pods of HOOKS, or lets them in as workloads.

    One for every pod also holds for what serves.
    """
    chosen = (specified(item).get("podSelector") or {}) if item["kind"] == POLICY else {}
    templates = [hook["spec"]["template"].get("metadata") or {} for hook in hooks]
    peers = [peer for rule in specified(item).get("ingress") or () for peer in rule.get("from") or ()] if chosen else []
    wanted = [chosen, ANY] if {"podSelector": ANY} in peers else [chosen]
    return bool(chosen) and any(selects(each, one.get("labels") or {}) for each in wanted for one in templates)


def key(item: Object) -> Key:
    """Return what tells ITEM from the other objects of its manifest."""
    return item["kind"], item["metadata"]["name"]


def _named(value: Any) -> Iterator[Key]:
    """Yield kind and name of what VALUE, a part of a pod's specification, names."""
    if isinstance(value, list):
        for part in value:
            yield from _named(part)
    elif isinstance(value, dict):
        if account := value.get("serviceAccountName") or value.get("serviceAccount"):
            yield "ServiceAccount", str(account)
        for secret in value.get("imagePullSecrets") or ():
            yield "Secret", secret.get("name", "")
        for name, part in value.items():
            if name in FIELDS and isinstance(part, dict):
                holder, kind = FIELDS[name]
                yield kind, part.get(holder) or part.get("name", "")
            yield from _named(part)
