"""What a plan would do, in words: from `terraform show -json`. Values that Terraform calls sensitive are never in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.errors import Precondition

SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±", "forget": "!"}
# What shows on the bill each hour, whether it is used or not.
COSTLY = frozenset(
    ("aws_eip", "aws_eks_cluster", "aws_eks_node_group", "aws_lb", "aws_nat_gateway", "aws_vpc_endpoint", "aws_wafv2_web_acl")
)  # fmt: skip
# What cannot be had back: images, names, addresses, and all that runs.
PRECIOUS = frozenset(("aws_ecr_repository", "aws_eks_cluster", "aws_route53_zone", "aws_vpc"))
SHORT = 60  # characters of a value


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One resource: `action` is a key of SIGNS; `details` name attributes with old and new values, `why` says what forces a replacement."""

    address: str
    type: str
    action: str
    details: tuple[str, ...] = ()
    why: str = ""

    @property
    def line(self) -> str:
        """As a person reads it."""
        cost = "  (costs by the hour)" if self.type in COSTLY and self.action in ("create", "replace") else ""
        said = "; ".join(self.details)
        why = f"  replaced because of {self.why}" if self.why else ""
        return f"  {SIGNS[self.action]} {self.address}{cost}{why}" + (f"  {said}" if said else "")


def changes(shown: Mapping[str, Any]) -> list[Change]:
    """Return what the plan SHOWN would change, worst first."""
    found = [_change(one) for one in shown.get("resource_changes", ())]
    order = ["replace", "delete", "forget", "update", "create"]
    return sorted((one for one in found if one), key=lambda one: (order.index(one.action), one.address))


def drift(shown: Mapping[str, Any]) -> tuple[list[Change], list[Change]]:
    """Return what is other than Terraform left it, and what terraform/ would change besides.

    Drift is what an apply would set back. A refresh finds more: what AWS fills in, and one value in two notations.
    """
    planned = {one["address"]: one for one in shown.get("resource_changes", ()) if _change(one)}
    drifted = []
    for one in shown.get("resource_drift", ()):
        back = planned.get(one["address"])
        change = _change(one, only=_changed(back["change"])) if back else None
        if change and (change.details or change.action != "update"):
            drifted.append(change)
    found = {one.address for one in drifted}
    return drifted, [one for one in changes(shown) if one.address not in found]


def counts(found: Iterable[Change]) -> dict[str, int]:
    """Return how many are created, updated and deleted, as GitLab's Terraform report wants it: a replacement is both."""
    actions = [one.action for one in found]
    replaced = actions.count("replace")
    return {
        "create": actions.count("create") + replaced,
        "update": actions.count("update"),
        "delete": actions.count("delete") + replaced,
    }


def approved(found: Iterable[Change], typed: Iterable[str]) -> None:
    """Raise Precondition unless each precious thing that would be lost was TYPED by its address."""
    lost = {one.address for one in found if one.type in PRECIOUS and one.action in ("delete", "replace")}
    if missing := sorted(lost - set(typed)):
        raise Precondition(
            f"this plan destroys {', '.join(missing)}, which cannot be had back",
            hint=f"if that is meant: {' '.join(f'--destroys {address}' for address in missing)}; nothing was changed",
        )


def _change(one: Mapping[str, Any], only: set[str] | None = None) -> Change | None:
    change = one["change"]
    actions = list(change["actions"])
    if actions in (["no-op"], ["read"]):
        return None
    action = "replace" if len(actions) == 2 else actions[0]
    why = ", ".join(".".join(map(str, path)) for path in change.get("replace_paths", ()))
    if action == "replace" and not why:
        why = str(one.get("action_reason", "")).replace("_", " ")
    details = _details(change, only) if action in ("update", "replace") else ()
    return Change(address=one["address"], type=one["type"], action=action, details=details, why=why)


def _changed(change: Mapping[str, Any]) -> set[str]:
    """Return the names of the attributes that are not after a CHANGE what they were before it."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = {name for name, value in (change.get("after_unknown") or {}).items() if value}
    return unknown | {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _details(change: Mapping[str, Any], only: set[str] | None) -> tuple[str, ...]:
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    hidden = (change.get("before_sensitive") or {}, change.get("after_sensitive") or {})
    found = []
    for name in sorted(_changed(change) if only is None else _changed(change) & only):
        if unknown.get(name):
            found.append(f"{name} = known after apply")
            continue
        secret = any(
            part is True or (isinstance(part, Mapping) and _marked(part.get(name))) for part in hidden
        )
        old, new = ("(sensitive)",) * 2 if secret else (_short(before.get(name)), _short(after.get(name)))
        found.append(f"{name}: {old} → {new}")
    return tuple(found)


def _marked(mark: Any) -> bool:
    """Return whether anything in MARK, which has the shape of a value, says `true`: that part is sensitive."""
    if isinstance(mark, Mapping):
        return any(map(_marked, mark.values()))
    return any(map(_marked, mark)) if isinstance(mark, list) else mark is True


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
