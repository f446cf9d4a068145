"""By which labels objects select pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]


def specified(item: Object) -> Object:
    """Return what ITEM specifies, nothing for a kind that has no such table."""
    said = item.get("spec")
    return said if isinstance(said, dict) else {}


def scales(item: Object) -> tuple[str, str]:
    """Return kind and name of what ITEM is an autoscaler of, two empty texts where it is none."""
    target = specified(item).get("scaleTargetRef")
    named = target if isinstance(target, dict) else {"kind": ""}
    return str(named.get("kind", "Deployment")), str(named.get("name", ""))


def selected(objects: Iterable[Object]) -> set[str]:
    """Return the labels by which OBJECTS select pods."""
    keys: set[str] = set()
    for item in objects:
        selector = specified(item).get("selector") or {}
        if not isinstance(selector, dict):  # that of a kind which is none of Kubernetes' own
            continue
        if item["kind"] == "Service":
            selector = {"matchLabels": selector}
        keys |= {expression["key"] for expression in selector.get("matchExpressions") or ()}
        keys |= (selector.get("matchLabels") or {}).keys()
    return keys


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Return whether the label SELECTOR matches LABELS."""
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        named = key in labels and (operator not in ("In", "NotIn") or labels[key] in (expression.get("values") or ()))
        if named != (operator in ("In", "Exists")):
            return False
    return bool((selector.get("matchLabels") or {}).items() <= labels.items())
