"""One release at a time, from any machine: a Lease in the application's namespace, which its holder renews.

A holder counts as dead once its Lease has not changed for its duration by the waiting side's clock: clocks are never
compared (the rule of client-go's leader election). A holder from this checkout is dead at once, since only one command
at a time acts from a checkout.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from msgspec import Struct

from longshore.errors import BadInput, Failure, LockHeld, StateUnknown
from longshore.kubernetes import paths
from longshore.kubernetes.api import UNANSWERED, Api, Refused

NAME = "longshore-release"
DURATION = 20  # seconds without a renewal after which a Lease may be taken over
BEAT = 4.0  # seconds between two renewals
NOTES = "longshore.dev/"

Object = dict[str, Any]


class LeaseLost(StateUnknown):
    """Someone else may be releasing by now: this run changes nothing more."""

    hint = "`invoke status` shows what is serving; whoever holds the lease now takes over"


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds a lease: `id` is unique to a run, `checkout` to a checkout; `job` is a URL or a command."""

    id: str
    checkout: str
    job: str

    @classmethod
    def new(cls, actor: str, checkout: str, job: str) -> Holder:
        return cls(id=f"{actor}@{socket.gethostname()}/{secrets.token_hex(4)}", checkout=checkout, job=job)


class Lease:
    """The lease as a context: held inside, released at the end; `check` raises LeaseLost once it may be lost."""

    def __init__(
        self, api: Api, holder: Holder, *, wait: float, pause: Callable[[float], None], say: Callable[..., None]
    ) -> None:
        self._api, self._holder, self._wait, self._pause, self._say = api, holder, wait, pause, say
        self._held: Object = {}
        self._renewed = 0.0
        self._lost = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        """Take the lease. Raises LockHeld, naming the holder, where a live one keeps it for longer than the wait."""
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
        """Raise LeaseLost if the lease is, or may be, someone else's."""
        silent = time.monotonic() - self._renewed
        if not self._lost and silent > DURATION - BEAT:
            self._lost = f"could not be renewed for {silent:.0f} s"
        if self._lost:
            raise LeaseLost(f"the release's lease {self._lost}; stopped without further changes")

    def _acquire(self) -> None:
        began = changed = time.monotonic()
        seen: Any = None
        while True:
            lease = _read(self._api)
            now = time.monotonic()
            if (lease or {}).get("spec") != seen:
                seen, changed = (lease or {}).get("spec"), now
            if lease is None or self._free(lease, now - changed):
                try:
                    self._take(lease)
                    return
                except Refused as problem:
                    if problem.status not in (404, 409):  # someone else was faster: look again
                        raise
                    continue
            if now - began > self._wait:
                command = f"`invoke release.unlock --holder {_id(lease)}`"
                hint = f"wait for it to finish; if that run is certainly dead, {command}"
                raise LockHeld(f"another release is in progress: {_describe(lease)}", hint=hint)
            self._say(f"waiting for another release to finish: {_describe(lease)}")
            self._pause(1.0)

    def _free(self, lease: Object, unchanged: float) -> bool:
        notes = lease["metadata"].get("annotations", {})
        mine = notes.get(f"{NOTES}checkout") == self._holder.checkout
        return not _id(lease) or mine or unchanged > lease["spec"].get("leaseDurationSeconds", DURATION)

    def _take(self, existing: Object | None) -> None:
        old = existing or {"metadata": {"name": NAME, "namespace": self._api.namespace}, "spec": {}}
        written = ("name", "namespace", "resourceVersion")
        metadata = {key: value for key, value in old["metadata"].items() if key in written}
        holder, now = self._holder, _now()
        notes = {f"{NOTES}checkout": holder.checkout, f"{NOTES}job": holder.job}
        spec = {"holderIdentity": holder.id, "leaseDurationSeconds": DURATION, "acquireTime": now, "renewTime": now}
        spec["leaseTransitions"] = old["spec"].get("leaseTransitions", 0) + 1
        lease = {"apiVersion": paths.VERSIONS["Lease"], "kind": "Lease"}
        self._held = {**lease, "metadata": {**metadata, "annotations": notes}, "spec": spec}
        self._put(new=existing is None)

    def _put(self, *, new: bool = False) -> None:
        """Write the lease as we know it; the server refuses (409) once anyone else has written it."""
        began = time.monotonic()
        path = paths.collection("Lease", self._api.namespace) + ("" if new else f"/{NAME}")
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
                continue  # `check` decides when this has lasted too long

    def _renewed_after_all(self) -> bool:
        """Return whether we still hold it after a refusal: a lost answer leaves us with an old version of it."""
        with contextlib.suppress(*UNANSWERED, Failure):
            lease = _read(self._api)
            if lease and _id(lease) == self._holder.id:
                self._held = lease
                return True
            self._lost = f"is now held by {_describe(lease)}" if lease and _id(lease) else "was unlocked or deleted"
            return False
        return True


def unlock(api: Api, holder: str) -> None:
    """Free the lease held by the run with the id HOLDER. Raises BadInput where someone else, or nobody, holds it."""
    lease = _read(api) or {"spec": {}}
    if _id(lease) != holder or not holder:
        actual = _describe(lease) if _id(lease) else "nobody"
        raise BadInput(f"the lease is held by {actual}, not by {holder!r}", hint="give the holder's exact id")
    lease["spec"]["holderIdentity"] = ""
    api.send("PUT", f"{paths.collection('Lease', api.namespace)}/{NAME}", lease)


def _read(api: Api) -> Object | None:
    try:
        return api.get(f"{paths.collection('Lease', api.namespace)}/{NAME}", timeout=BEAT)
    except Refused as problem:
        if problem.status == 404:
            return None
        raise


def _id(lease: Object) -> str:
    return str(lease["spec"].get("holderIdentity") or "")


def _describe(lease: Object) -> str:
    """Return who holds LEASE, since when, and in which job."""
    spec, notes = lease["spec"], lease["metadata"].get("annotations", {})
    since = str(spec.get("acquireTime", ""))[:19]
    return f"{_id(lease)} since {since} UTC ({notes.get(f'{NOTES}job') or 'no job named'})"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
