"""One release at a time, from whatever machine: a Lease in the application's namespace, which its holder renews.

A holder is dead when its Lease has not changed for its duration by the clock of whoever waits: clocks are never compared (the rule of
client-go's leader election). One of this checkout is dead at once, since only one command at a time acts from a checkout.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from longshore.errors import BadInput, Failure, LockHeld, StateUnknown
from longshore.rollout.api import UNANSWERED, Api, Refused

NAME = "longshore-release"
DURATION = 20  # seconds without a sign of life after which a Lease may be taken over
BEAT = 4.0  # seconds between two signs of life
NOTES = "longshore.dev/"

Thing = dict[str, Any]


class LeaseLost(StateUnknown):
    """Somebody else may be releasing by now: nothing more is changed."""

    hint = "`invoke status` tells what serves; whoever has the lease brings it to an end"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lease: `id` is exact and new for each run, `checkout` the same for all runs of one, `job` a URL or a command."""

    id: str
    checkout: str
    job: str

    @classmethod
    def new(cls, actor: str, checkout: str, job: str) -> Holder:
        """Return a holder that no other run is."""
        return cls(id=f"{actor}@{socket.gethostname()}/{secrets.token_hex(4)}", checkout=checkout, job=job)


class Lease:
    """The lease as a context: held inside, given back at the end; `check` raises LeaseLost once it is somebody else's."""

    def __init__(
        self,
        api: Api,
        holder: Holder,
        *,
        wait: float,
        pause: Callable[[float], None],
        say: Callable[..., None],
    ) -> None:
        self._api, self._holder, self._wait, self._pause, self._say = api, holder, wait, pause, say
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
        self._held: Thing = {}
        self._renewed = 0.0
        self._lost = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        """Take the lease; raise LockHeld, naming who has it, where a live holder keeps it for longer than the wait."""
        self._acquire()
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._over.set()
        self._thread.join()
        if not self._lost:
            self._held["spec"]["holderIdentity"] = ""
            with contextlib.suppress(*UNANSWERED, Failure):
                self._put()

    def check(self) -> None:
        """Raise LeaseLost where the lease is, or may be, somebody else's."""
        silent = time.monotonic() - self._renewed
        if not self._lost and silent > DURATION - BEAT:
            self._lost = f"it could not be renewed for {silent:.0f} s"
        if self._lost:
            raise LeaseLost(f"the release lost its lease: {self._lost}; it changed nothing more")

    def _acquire(self) -> None:
        began = changed = time.monotonic()
        seen: Any = None
        while True:
            found = self._read()
            now = time.monotonic()
            if (found or {}).get("spec") != seen:
                seen, changed = (found or {}).get("spec"), now
            if found is None or self._free(found, now - changed):
                try:
                    self._take(found)
                    return
                except Refused as problem:
                    if problem.status not in (404, 409):  # somebody was faster: look again
                        raise
                    continue
            if now - began > self._wait:
                raise LockHeld(
                    f"another release is under way: {_describe(found)}",
                    hint=f"wait for it; if that run is surely dead: `invoke release.unlock --holder {_id(found)}`",
                )
            self._say(f"waiting for another release to end: {_describe(found)}")
            self._pause(1.0)

    def _free(self, found: Thing, unchanged: float) -> bool:
        notes = found["metadata"].get("annotations", {})
        mine = notes.get(f"{NOTES}checkout") == self._holder.checkout
        return not _id(found) or mine or unchanged > found["spec"].get("leaseDurationSeconds", DURATION)

    def _take(self, found: Thing | None) -> None:
        notes = {f"{NOTES}checkout": self._holder.checkout, f"{NOTES}job": self._holder.job}
        about = (found or {}).get("metadata", {"name": NAME, "namespace": self._api.namespace})
        before = (found or {}).get("spec", {}).get("leaseTransitions", 0)
        now = _now()
        spec = {
            "holderIdentity": self._holder.id, "leaseDurationSeconds": DURATION, "acquireTime": now, "renewTime": now,
            "leaseTransitions": before + 1,
        }  # fmt: skip
        about = {key: about[key] for key in ("name", "namespace", "resourceVersion") if key in about}
        self._held = {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {**about, "annotations": notes}, "spec": spec
        }  # fmt: skip
        self._put(new=found is None)

    def _put(self, *, new: bool = False) -> None:
        """Write the lease as we know it; the server refuses that (409) once anybody else has written it."""
        began = time.monotonic()
        path = self._path if new else f"{self._path}/{NAME}"
        self._held = self._api.send("POST" if new else "PUT", path, self._held, timeout=BEAT)
        self._renewed = began

    def _renew(self) -> None:
        while not self._over.wait(BEAT):
            self._held["spec"]["renewTime"] = _now()
            try:
                self._put()
            except Refused as problem:
                if problem.status in (404, 409) and not self._renewed_after_all():
                    return
            except (*UNANSWERED, Failure):
                continue  # `check` decides when that has lasted too long

    def _renewed_after_all(self) -> bool:
        """Look who holds it after a refusal: an answer that got lost on its way leaves us with an old version of our own."""
        with contextlib.suppress(*UNANSWERED, Failure):
            found = self._read()
            if found and _id(found) == self._holder.id:
                self._held = found
                return True
            self._lost = f"it is now {_describe(found)}" if found else "it was deleted"
            return False
        return True

    def _read(self) -> Thing | None:
        try:
            return self._api.get(f"{self._path}/{NAME}", timeout=BEAT)
        except Refused as problem:
            if problem.status == 404:
                return None
            raise


def unlock(api: Api, holder: str) -> None:
    """Take the lease from the run whose exact id is HOLDER. Raises BadInput where somebody else, or nobody, has it."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases/{NAME}"
    try:
        found = api.get(path)
    except Refused as problem:
        if problem.status != 404:
            raise
        found = {"spec": {}}
    if _id(found) != holder or not holder:
        has = _describe(found) if _id(found) else "nobody"
        raise BadInput(f"the lease is not held by {holder!r}: {has}", hint="give the exact id of the holder")
    found["spec"]["holderIdentity"] = ""
    api.send("PUT", path, found)


def _id(found: Thing) -> str:
    return str(found["spec"].get("holderIdentity") or "")


def _describe(found: Thing) -> str:
    spec, notes = found["spec"], found["metadata"].get("annotations", {})
    since = str(spec.get("acquireTime", ""))[:19]
    return f"{_id(found)} since {since} UTC ({notes.get(f'{NOTES}job', 'no job named')})"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
