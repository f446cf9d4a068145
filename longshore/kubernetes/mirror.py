"""A small copy of a namespace's objects, kept up to date by watches: one list and one stream for each kind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPSConnection
from typing import Any, Self

from longshore.kubernetes import paths
from longshore.kubernetes.api import LINE, UNANSWERED, Api, Refused

Object = dict[str, Any]

KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Pod", "Event")  # that explain a rollout
# What a verdict needs of an object's metadata and spec.
METADATA = ("name", "uid", "generation", "labels", "ownerReferences", "creationTimestamp", "deletionTimestamp")
SPEC = (
    *("replicas", "nodeName", "progressDeadlineSeconds", "paused", "updateStrategy", "ordinals"),
    *("suspend", "parallelism"),
)
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SELECTORS = {"Event": "&fieldSelector=type!%3DNormal"}
STREAM = 30  # seconds after which the server ends a watch: a dead one goes unnoticed for no longer
PULSE, PULSE_TIMEOUT = 1.0, 4.0  # seconds between two health checks of the server, and for its answer
RECONNECT = 0.2  # seconds before a broken stream is opened again
EVENTS = 2000  # only the newest are kept
SECOND = len("2026-01-01T00:00:00")  # to which times are compared: most have no fraction


class Objects:
    """A namespace's objects at one moment, by kind, name and owner.

    SINCE is when a manifest was applied, by the server's clock: what is older says nothing about that manifest.
    """

    def __init__(self, kinds: Mapping[str, Iterable[Object]], since: str = "") -> None:
        self.since = since
        self.named: dict[tuple[str, str], Object] = {}
        self._owned: dict[tuple[str, str], list[Object]] = {}
        self._events: dict[str, list[Object]] = {}
        for kind, items in kinds.items():
            for item in items:
                if kind == "Event":
                    self._events.setdefault(item["uid"], []).append(item)
                    continue
                self.named[kind, item["metadata"]["name"]] = item
                for owner in item["metadata"].get("ownerReferences", ()):
                    self._owned.setdefault((kind, owner["uid"]), []).append(item)

    def owned(self, kind: str, owner: Mapping[str, Any]) -> list[Object]:
        """Return the objects of KIND that OWNER controls."""
        return self._owned.get((kind, owner["metadata"]["uid"]), [])

    def events(self, item: Mapping[str, Any]) -> list[Object]:
        """Return the warnings about the object ITEM since then, latest last: `reason`, `message`, `at` and `field`."""
        return [event for event in self._events.get(item["metadata"]["uid"], ()) if self.counts(item, event["at"])]

    def counts(self, item: Mapping[str, Any], at: str) -> bool:
        """Return whether what became of the object ITEM at the time AT became of it since then.

        All counts that became of a newer object. Of an older one, what is of the same second may be from before.
        """
        created = item["metadata"].get("creationTimestamp") or self.since
        return created[:SECOND] >= self.since[:SECOND] or at[:SECOND] > self.since[:SECOND]


def moment(api: Api) -> str:
    """Return what time it is by the server's clock, in UTC and ISO 8601. Raises what `UNANSWERED` lists."""
    with api.connection() as connection:
        answer = api.ask(connection, "/readyz")
        answer.read()
    return parsedate_to_datetime(answer.headers["Date"] or "").strftime("%Y-%m-%dT%H:%M:%SZ")


def look(api: Api, kinds: Iterable[str]) -> Objects:
    """Return the namespace's objects of KINDS as they are now. Raises what `UNANSWERED` lists."""
    with api.connection() as connection:
        pages = {kind: list(_pages(api, kind, connection)) for kind in kinds}
    return Objects({kind: [reduced(kind, item) for page in pages[kind] for item in page["items"]] for kind in pages})


class Mirror:
    """Follows KINDS in the background while entered; `wait` returns when something changes. For SINCE see Objects."""

    def __init__(self, api: Api, kinds: Iterable[str], since: str = "") -> None:
        self._api, self._since = api, since
        self._kinds: dict[str, dict[str, Object]] = {kind: {} for kind in kinds}
        self._listed: set[str] = set()
        self._changed = threading.Condition()
        self.version = 0  # grows with every change
        self._stop = threading.Event()
        self._streams: dict[str, Any] = {}
        self._answered = time.monotonic()
        self.problem = ""
        self._threads = [threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in self._kinds]
        self._threads.append(threading.Thread(target=self._pulse, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stop.set()
        self._reset()
        for thread in self._threads:
            thread.join(timeout=1.0)

    @property
    def silent(self) -> float:
        """Seconds since the API server last answered."""
        return time.monotonic() - self._answered

    def objects(self) -> tuple[int, Objects | None]:
        """Return the version and its objects, None until each kind was listed once."""
        with self._changed:
            known = Objects({kind: list(items.values()) for kind, items in self._kinds.items()}, self._since)
            return self.version, known if len(self._listed) == len(self._kinds) else None

    def wait(self, version: int, timeout: float) -> None:
        """Sleep until there is a newer version than VERSION, for at most TIMEOUT seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.version != version or self._stop.is_set(), timeout)

    def _follow(self, kind: str) -> None:
        at = ""
        while not self._stop.is_set():
            try:
                at = self._stream(kind, at or self._list(kind))
            except UNANSWERED as problem:
                status = getattr(problem, "status", 0)
                if kind == "Event" and status in (403, 404):  # events explain a verdict, which needs none
                    return self._replace(kind, {})
                at = "" if status == 410 else at
                self.problem = str(problem) or repr(problem)
                self._stop.wait(RECONNECT)
        return None

    def _list(self, kind: str) -> str:
        items: dict[str, Object] = {}
        at = ""
        for page in _pages(self._api, kind):
            at = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                items[item["metadata"]["uid"]] = reduced(kind, item)
        self._answered = time.monotonic()
        self._replace(kind, items)
        return at

    def _replace(self, kind: str, items: dict[str, Object]) -> None:
        with self._changed:
            self._kinds[kind] = items
            self._listed.add(kind)
            self.version += 1
            self._changed.notify_all()

    def _stream(self, kind: str, at: str) -> str:
        """Take changes since AT until the stream ends; return the version to continue from, or "" to list again."""
        path = paths.collection(kind, self._api.namespace)
        path += f"?watch=1&allowWatchBookmarks=true&timeoutSeconds={STREAM}"
        connection = self._api.connect(STREAM + 10)
        try:
            self._streams[kind] = connection.sock
            answer = self._api.ask(connection, f"{path}&resourceVersion={at}{SELECTORS.get(kind, '')}")
            while not self._stop.is_set():
                line = answer.readline(LINE)
                if not line:
                    return at
                change = json.loads(line)
                if change["type"] == "ERROR":
                    if change["object"].get("code") == 410:  # AT is too old: the changes since are compacted away
                        return ""
                    raise Refused(change["object"].get("code", 500), change["object"].get("message", ""))
                at = change["object"]["metadata"]["resourceVersion"]
                self._take(kind, change["type"], change["object"])
            return at
        except OSError:
            return at if not self._stop.wait(RECONNECT) else ""
        finally:
            self._streams.pop(kind, None)
            connection.close()

    def _take(self, kind: str, change: str, item: Object) -> None:
        if change == "BOOKMARK":
            return
        uid = item["metadata"]["uid"]
        with self._changed:
            items = self._kinds[kind]
            before = items.pop(uid, None)
            if change != "DELETED":
                items[uid] = reduced(kind, item)
                if kind == "Event" and len(items) > EVENTS:
                    del items[next(iter(items))]
            if before != items.get(uid):
                self.version += 1
                self._changed.notify_all()

    def _pulse(self) -> None:
        """Check the server's health: a stream without changes looks like one of a server that hangs."""
        lost = False
        while not self._stop.wait(PULSE):
            try:
                self._api.text("/readyz", PULSE_TIMEOUT)
                self._answered = time.monotonic()
                if lost:  # streams from before the outage may wait for ever
                    self._reset()
                lost, self.problem = False, ""
            except UNANSWERED as problem:
                lost, self.problem = True, str(problem) or repr(problem)

    def _reset(self) -> None:
        for stream in list(self._streams.values()):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(stream, socket.SHUT_RDWR)


def reduced(kind: str, item: Object) -> Object:
    """Return the parts of the object ITEM that a verdict needs: whole objects would take a hundred times the memory."""
    if kind == "Event":
        about, message = item.get("involvedObject", {}), " ".join(str(item.get("message", "")).split())
        return {
            "uid": about.get("uid", ""),
            "field": about.get("fieldPath", ""),  # `spec.containers{app}`
            "reason": item.get("reason", ""),
            "message": message[:400],
            "at": _at(item),
        }
    metadata, spec = item["metadata"], item.get("spec", {})
    parts: Object = {
        "metadata": {key: metadata[key] for key in METADATA if key in metadata},
        "spec": {key: spec[key] for key in SPEC if key in spec},
        "status": item.get("status", {}),
    }
    if generation := metadata.get("annotations", {}).get("deprecated.daemonset.template.generation"):
        parts["metadata"]["template"] = generation
    if template := spec.get("template"):
        parts["template"] = _hash(template)
    pod_spec = template.get("spec", {}) if template else spec
    containers = pod_spec.get("containers", ())
    parts["spec"]["containers"] = [{"name": c["name"], "image": c.get("image", "")} for c in containers]
    if kind == "Pod" and (probes := _probes([*containers, *(spec.get("initContainers") or ())])):
        parts["probes"] = probes
    return parts


def _probes(containers: Iterable[Object]) -> Object:
    """Return the probes of CONTAINERS, by container and field; a sidecar is an init container with some."""
    chosen = {c["name"]: {key: c[key] for key in PROBES if c.get(key)} for c in containers}
    return {name: probes for name, probes in chosen.items() if probes}


def _at(event: Object) -> str:
    """Return when EVENT last happened: by the server's clock if it says so, else by that of whoever reports it."""
    metadata = event.get("metadata") or {}
    written = max((str(entry.get("time", "")) for entry in metadata.get("managedFields") or ()), default="")
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(written or series or event.get("lastTimestamp") or event.get("eventTime") or "")


def _hash(template: Object) -> str:
    """Return a hash of a pod TEMPLATE that is equal for a Deployment and its newest ReplicaSet, which adds a label."""
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != "pod-template-hash"}
    text = json.dumps([labels, metadata.get("annotations"), template.get("spec")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _pages(api: Api, kind: str, connection: HTTPSConnection | None = None) -> Iterable[Object]:
    return api.pages(paths.collection(kind, api.namespace), SELECTORS.get(kind, ""), connection)
