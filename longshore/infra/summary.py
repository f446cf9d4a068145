"""What a plan would do, in words: from `terraform show -json`, without the values that Terraform calls sensitive."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.errors import Precondition
from longshore.infra import support
from longshore.report.document import SIGNS

SEVERITY = ("replace", "delete", "forget", "update", "create", "import")
# Billed by the hour, used or not.
_COSTLY = ("eip", "eks_cluster", "eks_node_group", "lb", "nat_gateway", "vpc_endpoint", "wafv2_web_acl")
COSTLY = frozenset(f"aws_{kind}" for kind in _COSTLY)
# Cannot be restored: images, names, addresses, and everything that runs.
IRREPLACEABLE = frozenset(("aws_ecr_repository", "aws_eks_cluster", "aws_route53_zone", "aws_vpc"))
MADE_AGAIN = frozenset(("aws_ecr_repository.review[0]",))  # the images of branches are built when they are asked for
SHORT = 60  # characters of a value


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one resource: `action` is a key of SIGNS, `why` says what forces a replacement.

    `usd` is how much more it costs a month, as far as that is known.
    """

    address: str
    type: str
    action: str
    details: tuple[str, ...] = ()
    why: str = ""
    usd: float = 0.0

    @property
    def line(self) -> str:
        cost = f"  ({amount(self.usd)} a month)" if self.usd else ""
        if not cost and self.type in COSTLY and self.action in ("create", "replace"):
            cost = "  (costs by the hour)"
        why = f"  replaced because of {self.why}" if self.why else ""
        details = f"  {'; '.join(self.details)}" if self.details else ""
        return f"  {SIGNS[self.action]} {self.address}{cost}{why}{details}"


def amount(usd: float) -> str:
    """Return a difference in US dollars as a person reads it."""
    return f"{usd:+.2f} USD" if abs(usd) < 10 else f"{usd:+.0f} USD"


def warnings(plan: Mapping[str, Any], today: dt.date) -> list[str]:
    """Return what PLAN warns of: `check` blocks that fail, and a version whose standard support ends soon."""
    said = []
    for check in plan.get("checks", ()):
        if check["address"]["kind"] == "check" and check["status"] in ("fail", "error"):
            problems = (problem for each in check.get("instances") or () for problem in each.get("problems") or ())
            messages = [problem["message"] for problem in problems if problem.get("message")]
            said += messages or [f"{check['address']['to_display']} could not be made"]
    for entry in plan.get("resource_changes", ()):
        version = (entry["change"].get("after") or {}).get("version")
        if entry["type"] == "aws_eks_cluster" and version and (sentence := support.ending(version, today)):
            said.append(sentence)
    return said


def changes(plan: Mapping[str, Any], usd: Mapping[str, float] | None = None) -> list[Change]:
    """Return what PLAN would change, most severe first; USD says how much more each address costs a month."""
    found = filter(None, map(_change, plan.get("resource_changes", ())))
    changed = (msgspec.structs.replace(change, usd=(usd or {}).get(change.address, 0.0)) for change in found)
    return sorted(changed, key=lambda change: (SEVERITY.index(change.action), change.address))


def drift(plan: Mapping[str, Any]) -> tuple[list[Change], list[Change]]:
    """Return what was changed outside of Terraform, and what terraform/ would change besides.

    Drift is what an apply would set back. A refresh reports more: what AWS fills in, and one value in two notations.
    """
    planned = {entry["address"]: entry for entry in plan.get("resource_changes", ()) if _change(entry)}
    drifted = []
    for entry in plan.get("resource_drift", ()):
        back = planned.get(entry["address"])
        change = _change(entry, only=_changed(back["change"])) if back else None
        if change and (change.details or change.action != "update"):
            drifted.append(change)
    addresses = {change.address for change in drifted}
    return drifted, [change for change in changes(plan) if change.address not in addresses]


def counts(changes: Iterable[Change]) -> dict[str, int]:
    """Return how many are created, updated and deleted, for GitLab's Terraform report: a replacement is both."""
    count = Counter(change.action for change in changes)
    created, deleted = (count[action] + count["replace"] for action in ("create", "delete"))
    return {"create": created, "update": count["update"], "delete": deleted}


def approved(changes: Iterable[Change], destroys: Iterable[str]) -> None:
    """Raise Precondition unless DESTROYS has the address of each irreplaceable resource that would be destroyed."""
    destroyed = (change for change in changes if change.action in ("delete", "replace"))
    precious = {change.address for change in destroyed if change.type in IRREPLACEABLE} - MADE_AGAIN
    if missing := sorted(precious - set(destroys)):
        options = " ".join(f"--destroys {address}" for address in missing)
        sentence = f"this plan destroys {', '.join(missing)}, which cannot be restored"
        raise Precondition(sentence, hint=f"if you mean it: {options}; nothing was changed")


def _change(entry: Mapping[str, Any], only: set[str] | None = None) -> Change | None:
    change, actions = entry["change"], list(entry["change"]["actions"])
    if actions == ["no-op"] and change.get("importing"):
        actions = ["import"]
    if actions in (["no-op"], ["read"]):
        return None
    action = "replace" if len(actions) == 2 else actions[0]
    why = ", ".join(".".join(map(str, path)) for path in change.get("replace_paths", ()))
    if action == "replace" and not why:
        why = str(entry.get("action_reason", "")).replace("_", " ")
    details = _details(change, only) if action in ("update", "replace") else ()
    return Change(address=entry["address"], type=entry["type"], action=action, details=details, why=why)


def _changed(change: Mapping[str, Any]) -> set[str]:
    """Return the names of the attributes that CHANGE changes."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = {name for name, value in (change.get("after_unknown") or {}).items() if value}
    return unknown | {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _details(change: Mapping[str, Any], only: set[str] | None) -> tuple[str, ...]:
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    marks = (change.get("before_sensitive") or {}, change.get("after_sensitive") or {})
    details = []
    for name in sorted(_changed(change) if only is None else _changed(change) & only):
        if unknown.get(name):
            details.append(f"{name} = known after apply")
            continue
        sensitive = any(mark is True or (isinstance(mark, Mapping) and _sensitive(mark.get(name))) for mark in marks)
        old, new = ("(sensitive)",) * 2 if sensitive else (_short(before.get(name)), _short(after.get(name)))
        details.append(f"{name}: {old} → {new}")
    return tuple(details)


def _sensitive(mark: Any) -> bool:
    """Return whether any part of a value is sensitive: MARK has the shape of the value, and `true` at such parts."""
    if isinstance(mark, Mapping):
        return any(map(_sensitive, mark.values()))
    return any(map(_sensitive, mark)) if isinstance(mark, list) else mark is True


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
