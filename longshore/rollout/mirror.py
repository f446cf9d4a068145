"""A small copy of what a namespace holds, kept up to date by watches: a list and a stream for each kind, however many pods."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from longshore.rollout.api import LINE, UNANSWERED, Api, Refused

Object = dict[str, Any]

PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Event": "/api/v1/namespaces/{}/events",
}
SELECTORS = {"Event": "&fieldSelector=type!%3DNormal"}
STREAM = 30  # seconds after which the server ends a watch: none is silently dead for longer
PULSE, PULSE_TIMEOUT = 1.0, 4.0  # seconds between two questions whether the server lives, and for its answer
AGAIN = 0.2  # seconds before a broken stream is opened again
EVENTS = 2000  # the newest ones are kept


class Objects:
    """What is known of a namespace at one moment, found by kind, name and owner."""

    def __init__(self, kinds: Mapping[str, Iterable[Object]]) -> None:
        self.named: dict[tuple[str, str], Object] = {}
        self._owned: dict[tuple[str, str], list[Object]] = {}
        self._events: dict[str, list[Object]] = {}
        for kind, things in kinds.items():
            for thing in things:
                if kind == "Event":
                    self._events.setdefault(thing["uid"], []).append(thing)
                    continue
                self.named[kind, thing["metadata"]["name"]] = thing
                for owner in thing["metadata"].get("ownerReferences", ()):
                    self._owned.setdefault((kind, owner["uid"]), []).append(thing)

    def owned(self, kind: str, owner: Mapping[str, Any]) -> list[Object]:
        """Return the objects of KIND that OWNER made."""
        return self._owned.get((kind, owner["metadata"]["uid"]), [])

    def events(self, thing: Mapping[str, Any]) -> list[Object]:
        """Return the warnings about THING, the latest last; each has a `reason` and a `message`."""
        return self._events.get(thing["metadata"]["uid"], [])


def look(api: Api, kinds: Iterable[str]) -> Objects:
    """Return what the namespace holds of KINDS now. Raises what `UNANSWERED` lists."""
    return Objects(
        {
            kind: [reduced(kind, item) for page in _pages(api, kind) for item in page["items"]]
            for kind in kinds
        }
    )


class Mirror:
    """Follows KINDS in the background from `with` on; `wait` returns when something has changed."""

    def __init__(self, api: Api, kinds: Iterable[str]) -> None:
        self._api = api
        self._kinds: dict[str, dict[str, Object]] = {kind: {} for kind in kinds}
        self._listed: set[str] = set()
        self._changed = threading.Condition()
        self._version = 0
        self._stop = threading.Event()
        self._streams: dict[str, Any] = {}
        self._answered = time.monotonic()
        self.problem = ""
        self._threads = [
            threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in self._kinds
        ]
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
        """Seconds since the API server last answered a question."""
        return time.monotonic() - self._answered

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    def objects(self) -> tuple[int, Objects | None]:
        """Return the version and its objects; None until each kind was listed once."""
        with self._changed:
            known = Objects({kind: list(things.values()) for kind, things in self._kinds.items()})
            return self._version, known if len(self._listed) == len(self._kinds) else None

    def wait(self, version: int, timeout: float) -> None:
        """Sleep until there is something newer than VERSION, but for no longer than TIMEOUT seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version or self._stop.is_set(), timeout)

    def _follow(self, kind: str) -> None:
        at = ""
        while not self._stop.is_set():
            try:
                at = self._stream(kind, at or self._list(kind))
            except UNANSWERED as problem:
                status = getattr(problem, "status", 0)
                if kind == "Event" and status in (403, 404):  # they explain; a verdict needs none
                    return self._replace(kind, {})
                at = "" if status == 410 else at
                self.problem = str(problem) or repr(problem)
                self._stop.wait(AGAIN)
        return None

    def _list(self, kind: str) -> str:
        found: dict[str, Object] = {}
        at = ""
        for page in _pages(self._api, kind):
            at = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                found[item["metadata"]["uid"]] = reduced(kind, item)
        self._answered = time.monotonic()
        self._replace(kind, found)
        return at

    def _replace(self, kind: str, found: dict[str, Object]) -> None:
        with self._changed:
            self._kinds[kind] = found
            self._listed.add(kind)
            self._version += 1
            self._changed.notify_all()

    def _stream(self, kind: str, at: str) -> str:
        """Take changes since AT until the server ends the stream; return where to go on, or nothing for a new list."""
        path = (
            PATHS[kind].format(self._api.namespace)
            + f"?watch=1&allowWatchBookmarks=true&timeoutSeconds={STREAM}"
        )
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
                    if change["object"].get("code") == 410:  # what happened since is forgotten
                        return ""
                    raise Refused(change["object"].get("code", 500), change["object"].get("message", ""))
                at = change["object"]["metadata"]["resourceVersion"]
                self._take(kind, change["type"], change["object"])
            return at
        except OSError:
            return at if not self._stop.wait(AGAIN) else ""
        finally:
            self._streams.pop(kind, None)
            connection.close()

    def _take(self, kind: str, what: str, thing: Object) -> None:
        if what == "BOOKMARK":
            return
        uid = thing["metadata"]["uid"]
        with self._changed:
            things = self._kinds[kind]
            before = things.pop(uid, None)
            if what != "DELETED":
                things[uid] = reduced(kind, thing)
                if kind == "Event" and len(things) > EVENTS:
                    del things[next(iter(things))]
            if before != things.get(uid):
                self._version += 1
                self._changed.notify_all()

    def _pulse(self) -> None:
        """Ask whether the server lives: a stream in which nothing happens looks like one of a server that hangs."""
        lost = False
        while not self._stop.wait(PULSE):
            try:
                self._api.text("/readyz", PULSE_TIMEOUT)
                self._answered = time.monotonic()
                if lost:  # streams from before may wait for ever
                    self._reset()
                lost, self.problem = False, ""
            except UNANSWERED as problem:
                lost, self.problem = True, str(problem) or repr(problem)

    def _reset(self) -> None:
        for stream in list(self._streams.values()):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(stream, socket.SHUT_RDWR)


def reduced(kind: str, thing: Object) -> Object:
    """Return what a verdict needs of THING: a namespace's objects in full would take a hundred times the memory."""
    if kind == "Event":
        about, message = thing.get("involvedObject", {}), " ".join(str(thing.get("message", "")).split())
        return {"uid": about.get("uid", ""), "reason": thing.get("reason", ""), "message": message[:400]}
    metadata, spec = thing["metadata"], thing.get("spec", {})
    kept: Object = {
        "kind": kind,
        "metadata": {
            key: metadata[key]
            for key in ("name", "uid", "generation", "labels", "ownerReferences", "deletionTimestamp")
            if key in metadata
        },
        "spec": {
            key: spec[key] for key in ("replicas", "completions", "updateStrategy", "nodeName") if key in spec
        },
        "status": thing.get("status", {}),
    }
    if generation := metadata.get("annotations", {}).get("deprecated.daemonset.template.generation"):
        kept["metadata"]["template"] = generation
    template = spec.get("template")
    if template:
        kept["template"] = _mark(template)
    inner = template.get("spec", {}) if template else spec
    kept["spec"]["containers"] = [
        {"name": one["name"], "image": one.get("image", "")} for one in inner.get("containers", ())
    ]
    return kept


def _mark(template: Object) -> str:
    """Return a hash of a pod TEMPLATE without the label that its ReplicaSet adds: equal for a Deployment and its newest one."""
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != "pod-template-hash"}
    text = json.dumps([labels, metadata.get("annotations"), template.get("spec")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _pages(api: Api, kind: str) -> Iterable[Object]:
    return api.pages(PATHS[kind].format(api.namespace), SELECTORS.get(kind, ""))
