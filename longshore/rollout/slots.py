"""Which branch has which slot for a review environment: a Lease in each slot's namespace, which its branch holds.

Taking one is creating that Lease, so the API server decides between two jobs. It has no heartbeat: a slot is its
branch's until that gives it back, or its time is over.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from longshore.errors import LockHeld, Precondition
from longshore.infra.outputs import Slot
from longshore.kubernetes import paths
from longshore.kubernetes.api import UNANSWERED, Api, Refused
from longshore.settings.model import Environment
from longshore.settings.pipeline import Review

NAME = "longshore-review"
NOTES = "longshore.dev/"
LONGEST = 40  # characters of a label

Object = dict[str, Any]


class Claim(Struct, frozen=True, kw_only=True):
    """Who has a slot: a `branch`, known by its `label`, until then (UTC, ISO 8601). `job` is a URL, or empty.

    `requests` are the numbers of the merge requests, still open, that it was deployed for.
    """

    label: str
    branch: str
    until: str
    actor: str = ""
    job: str = ""
    requests: tuple[str, ...] = ()
    version: str = ""  # Kubernetes' resourceVersion

    def over(self, now: str) -> bool:
        return self.until <= now

    def ends(self, name: str, request: str) -> bool:
        """Whether the branch with the label NAME has it, and no request now that REQUEST ended; empty: by hand."""
        return self.label == name and not (request and self.requests)


def label(branch: str) -> str:
    """Return what BRANCH is known by: a DNS label. Branches that only look alike have different ones."""
    plain = re.sub("[^a-z0-9]+", "-", branch.lower()).strip("-")
    if plain == branch and len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(branch.encode()).hexdigest()[:8]
    return f"{plain[: LONGEST - 9].strip('-')}-{digest}".lstrip("-")


def environment(base: Environment, review: Review, slot: Slot) -> Environment:
    """Return BASE as a release to SLOT sees it: nothing of it is protected, and no secret of BASE's is there."""
    return replace(
        base,
        namespace=slot.namespace,
        overlay=review.overlay or base.overlay,
        protected=False,
        approve="manual",
        secrets={},
        prove=0.0,
        canary="off",
        bake=0.0,
    )


def now(hours: float = 0) -> str:
    """Return the time in HOURS from now as a claim has it."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)).isoformat(timespec="seconds")


class Board:
    """The slots of one environment, in their order. API is a client of its cluster, for whichever namespace.

    Its methods raise Precondition where the slots are not prepared, or the cluster does not answer.
    """

    def __init__(self, api: Api, slots: Iterable[Slot]) -> None:
        self._api, self.slots = api, tuple(slots)

    def claims(self) -> list[tuple[Slot, Claim | None]]:
        """Return each slot with who has it."""
        try:
            found = self._api.several(_path(slot) for slot in self.slots)
        except UNANSWERED as problem:
            raise _unprepared(problem) from None
        return [(slot, _read(lease) if lease else None) for slot, lease in zip(self.slots, found, strict=True)]

    def of(self, name: str) -> list[tuple[Slot, Claim]]:
        """Return the slots that the branch with the label NAME has, each with its claim."""
        return [(slot, claim) for slot, claim in self.claims() if claim and claim.label == name]

    def take(self, wanted: Claim) -> Slot:
        """Give WANTED's branch a slot: its own, for longer, else a free one. Raises LockHeld where all are taken."""
        while True:
            claims = self.claims()
            own = next(((slot, claim) for slot, claim in claims if claim and claim.label == wanted.label), None)
            free = next((slot for slot, claim in claims if claim is None), None)
            slot, version = (own[0], own[1].version) if own else (free, "")
            requests = {*wanted.requests, *(own[1].requests if own else ())}
            if slot is None:
                who = "; ".join(f"{claim.branch} until {claim.until[:16]}" for _, claim in claims if claim)
                hint = (
                    "`invoke review.stop --name BRANCH` ends one; `review_slots` of terraform/ says how many there are"
                )
                raise LockHeld(
                    f"all {len(claims)} slots for review environments are taken: {who or 'there is none'}", hint=hint
                )
            if self._write(slot, replace(wanted, requests=tuple(sorted(requests))), version):
                return slot

    def leave(self, name: str, request: str) -> None:
        """Take note that REQUEST, of the branch with the label NAME, needs what that has no more."""
        while held := [(slot, claim) for slot, claim in self.of(name) if request in claim.requests]:
            slot, claim = held[0]
            rest = tuple(each for each in claim.requests if each != request)
            self._write(slot, replace(claim, requests=rest), claim.version)

    def free(self, slot: Slot, claim: Claim) -> bool:
        """Give SLOT back; return whether it still was as CLAIM says, so that nobody deploys there by now."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": claim.version}}
        try:
            self._api.send("DELETE", _path(slot), body)
        except UNANSWERED as problem:
            status = getattr(problem, "status", 0)
            if status not in (404, 409):
                raise _unprepared(problem) from None
            return bool(status == 404)
        return True

    def _write(self, slot: Slot, claim: Claim, version: str) -> bool:
        """Have CLAIM in SLOT, in place of the one with VERSION if any; return False where somebody was faster."""
        facts = {"branch": claim.branch, "until": claim.until, "actor": claim.actor, "job": claim.job}
        facts |= {"requests": ",".join(claim.requests)}
        metadata: Object = {"name": NAME, "namespace": slot.namespace}
        metadata["annotations"] = {f"{NOTES}{key}": value for key, value in facts.items()}
        metadata |= {"resourceVersion": version} if version else {}
        lease = {"apiVersion": paths.VERSIONS["Lease"], "kind": "Lease", "metadata": metadata}
        lease |= {"spec": {"holderIdentity": claim.label}}
        where = _path(slot) if version else paths.collection("Lease", slot.namespace)
        try:
            self._api.send("PUT" if version else "POST", where, lease)
        except UNANSWERED as problem:
            status = getattr(problem, "status", 0)
            if not (status == 409 or (status == 404 and version)):
                raise _unprepared(problem) from None
            return False
        return True


def _path(slot: Slot) -> str:
    return f"{paths.collection('Lease', slot.namespace)}/{NAME}"


def _read(lease: Object) -> Claim:
    metadata, notes = lease["metadata"], lease["metadata"].get("annotations") or {}
    facts = {key: str(notes.get(f"{NOTES}{key}", "")) for key in ("branch", "until", "actor", "job")}
    requests = tuple(filter(None, str(notes.get(f"{NOTES}requests", "")).split(",")))
    label = str(lease["spec"].get("holderIdentity") or "")
    return Claim(label=label, version=metadata["resourceVersion"], requests=requests, **facts)


def _unprepared(problem: Exception) -> Precondition:
    if isinstance(problem, Refused) and problem.status in (403, 404):
        hint = "an administrator of the cluster runs `invoke review.prepare`, once for a number of slots"
        return Precondition(
            "the namespaces of the slots for review environments are not prepared", detail=str(problem), hint=hint
        )
    return Precondition(f"the cluster does not say who has which slot: {problem}")
