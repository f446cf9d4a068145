"""An API server in this process, over real TLS: it stores objects, streams changes, and is its own controllers.

The same address answers as the application: /version names the pod, digest and revision that are ready. A pod that
belongs to nobody answers through its proxy alone.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import datetime
import http.server
import itertools
import json
import queue
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from longshore.errors import CommandFailed
from longshore.process.command import Command, Kind, Secret
from longshore.process.runner import Result, Runner
from longshore.rollout.site import Site
from longshore.settings.model import Environment
from tests.unit.api_server import BLOCKED, certificate, cluster_at
from tests.unit.rollout import things
from tests.unit.rollout.things import Thing, ended

KINDS = {
    "configmaps": ("v1", "ConfigMap"),
    "secrets": ("v1", "Secret"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "services": ("v1", "Service"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "pods": ("v1", "Pod"),
    "events": ("v1", "Event"),
    "namespaces": ("v1", "Namespace"),
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "jobs": ("batch/v1", "Job"),
    "cronjobs": ("batch/v1", "CronJob"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "horizontalpodautoscalers": ("autoscaling/v2", "HorizontalPodAutoscaler"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
}
PLURALS = {kind: plural for plural, (_, kind) in KINDS.items()}
ADDED = {"Gateway", "ScaledObject"}  # kinds that others added to the cluster
STALLED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
PROXY = re.compile(r"/api/v1/namespaces/shop/pods/([^/]+)/proxy(/.*)")
CRASH = [{"name": "app", "restartCount": 2, "lastState": ended(3), "state": ended(3)}]


@dataclasses.dataclass
class Behaviour:
    """How a pod answers: one of `fails` requests with 500, after `seconds`; `metrics` are what it says of itself."""

    fails: int = 0
    seconds: float = 0.0
    metrics: Callable[[], str] | None = None
    asked: int = 0

    def answer(self, path: str) -> tuple[int, Thing | str]:
        if path == "/metrics":
            return (200, self.metrics()) if self.metrics else (404, {})
        self.asked += 1
        time.sleep(self.seconds)
        return (500 if self.fails and self.asked % self.fails == 0 else 200), {}


class Kubernetes:
    """`crashes` are the revisions whose pods crash, `stalls` those whose pods never become ready until Kubernetes says
    so, `unserved` those that are ready yet not served, `fails` hooks.

    `drains` are the seconds that a replaced pod takes to end, in which it still answers where it `lingers`.
    `full` is what pods are refused with, `stuck` says that they do not end. A pod of a revision in `behaves` answers
    through its proxy as that says. `page` is the status that the application's own page answers with. `proxied` are
    requests to pods through the proxy: method, pod and port, path, headers.
    """

    def __init__(self, folder: Path) -> None:
        self.objects: dict[tuple[str, str], Thing] = {}
        self.asked: list[tuple[str, str]] = []  # method and path, without those that only read
        self.crashes: set[str] = set()
        self.stalls: set[str] = set()
        self.fails: set[str] = set()
        self.unserved: set[str] = set()
        self.added = set(ADDED)
        self.refused = ""  # what pods of Jobs are refused with
        self.forbidden: set[str] = set()  # plurals that may not be read
        self.undeletable: set[str] = set()  # as kubectl names them: configmap/ours
        self.refusals: list[str] = []  # what the next applications of objects are refused with
        self.page = 200
        self.blocked: set[str] = set()  # paths at which the web ACL answers instead
        self.drains, self.lingers = 0.0, False
        self.full, self.stuck = "", False
        self.behaves: dict[str, Behaviour] = {}
        self.proxied: list[tuple[str, str, str, dict[str, str]]] = []
        self.on_apply: Callable[[Thing], object] = lambda item: None
        self.on_ask: Callable[[str], object] = lambda path: None
        self._stalled: Thing = {}
        self._lock = threading.RLock()
        self._watches: dict[str, list[queue.Queue[Thing | None]]] = {kind: [] for kind in PLURALS}
        self._version = itertools.count(1)
        self._turn = itertools.count()
        self.authority, key = certificate(folder)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up
        self.url = f"https://shop.localhost:{self.http.server_port}"

    def close(self) -> None:
        for queues in self._watches.values():
            for changes in queues:
                changes.put(None)

    def put(self, item: Thing) -> Thing:
        """Store ITEM and tell those who watch its kind."""
        with self._lock:
            kind, name = item["kind"], item["metadata"]["name"]
            before = self.objects.get((kind, name), {"metadata": {}})["metadata"]
            metadata = item["metadata"]
            metadata.setdefault("uid", before.get("uid", f"{kind}-{name}"))
            metadata["resourceVersion"] = str(next(self._version))
            metadata["generation"] = before.get("generation", 0) + 1
            self.objects[kind, name] = item
            self._tell(kind, "MODIFIED", item)
            return item

    def drop(self, kind: str, name: str) -> None:
        with self._lock:
            if item := self.objects.pop((kind, name), None):
                self._tell(kind, "DELETED", item)

    def drop_whole(self, kind: str, name: str) -> None:
        """Delete an object with all that it made."""
        with self._lock:
            if item := self.objects.get((kind, name)):
                self.drop(kind, name)
                for other in [key for key, thing in self.objects.items() if owns(item, thing)]:
                    self.drop_whole(*other)

    def get(self, kind: str, name: str = "app") -> Thing:
        return self.objects[kind, name]

    def names(self, kind: str) -> list[str]:
        return sorted(name for known, name in self.objects if known == kind)

    def apply(self, item: Thing, manager: str = "longshore") -> Thing:
        """Store ITEM as somebody's, then do what a controller would."""
        with self._lock:
            item = copy.deepcopy(item)
            before = self.objects.get((item["kind"], item["metadata"]["name"]))
            owners = before["metadata"]["managedFields"] if before else [{"manager": manager, "time": "2026"}]
            item["metadata"]["managedFields"] = owners
            if "replicas" in item.get("spec", {}) or (before and "replicas" in before.get("spec", {})):
                self._count(item, before or item, manager)
            if before and "template" not in item.get("spec", {}) and item["kind"] == "Deployment":
                return self.put({**before, **item, "spec": before["spec"] | item["spec"]})
            self.on_apply(item)
            self.put(item)
            if item["kind"] == "Deployment":
                self._roll_out(item)
            elif item["kind"] == "StatefulSet":
                ready = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), item["spec"].get("replicas", 1))
                self.put({**item, "status": {**ready, "updateRevision": "new", "observedGeneration": 1000}})
                for index in range(item["spec"].get("replicas", 1)):
                    pod = things.pod(
                        f"{item['metadata']['name']}-{index}", owner=item["metadata"]["uid"], container={"imageID": ""}
                    )
                    pod["metadata"]["labels"] = {"controller-revision-hash": "new"}
                    self.put({"kind": "Pod", **pod})
            elif item["kind"] == "Pod":
                bad = revision(item) in self.crashes
                self.put({**item, "status": _status(item, CRASH if bad else None, ready=not bad)})
            elif item["kind"] == "Job":
                self._run(item)
            return item

    def _count(self, item: Thing, before: Thing, manager: str) -> None:
        """Have the number of ITEM's pods be whose it is; what nobody's is any more, the server forgets: that is 1."""
        said: Thing = {"manager": manager, "operation": "Apply", "time": "2026"}
        others = [entry for entry in before["metadata"]["managedFields"] if entry["manager"] != manager]
        if "replicas" in item["spec"]:
            said |= {"fieldsV1": {"f:spec": {"f:replicas": {}}}}
        elif any("f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}) for entry in others):
            item["spec"]["replicas"] = before["spec"]["replicas"]
        item["metadata"]["managedFields"] = [*others, said]

    def _run(self, job: Thing) -> None:
        """Do with JOB what its controller would: its pods need their account, and what their variables are from."""
        name, spec = job["metadata"]["name"], job["spec"]["template"]["spec"]
        account = spec.get("serviceAccountName", "default")
        refused = self.refused
        if account != "default" and ("ServiceAccount", account) not in self.objects:
            refused = f'error looking up service account shop/{account}: serviceaccount "{account}" not found'
        if refused:
            about = things.warning(job["metadata"]["uid"], "FailedCreate", f"Error creating: {refused}", now())
            self.put({"kind": "Event", "metadata": {"name": f"{name}.1"}, **about})
            return
        sources = [source["configMapRef"]["name"] for one in spec["containers"] for source in one.get("envFrom", ())]
        without = [source for source in sources if ("ConfigMap", source) not in self.objects]
        failed = without or any(name.startswith(hook) for hook in self.fails)
        message = f"configmap {without} not found" if without else "it exited with 1"
        condition = {"type": "Failed" if failed else "Complete", "status": "True", "message": message}
        self.put({**job, "status": {"conditions": [condition]}})

    def _roll_out(self, item: Thing) -> None:
        template = copy.deepcopy(item["spec"]["template"])
        name, crashes = f"{item['metadata']['name']}-{revision(template)}", revision(template) in self.crashes
        bad = crashes or revision(template) in self.stalls
        template["metadata"]["labels"]["pod-template-hash"] = name
        owner = {"ownerReferences": [{"uid": item["metadata"]["uid"]}]}
        if not bad:
            sets = {
                thing["metadata"]["uid"]: other for (kind, other), thing in self.objects.items() if owns(item, thing)
            }
            for (kind, other), thing in list(self.objects.items()):
                if owners(thing) & sets.keys() or (owns(item, thing) and other != name and not self.drains):
                    self._end(kind, other, again=f"ReplicaSet-{name}" in owners(thing))
        self.put({"kind": "ReplicaSet", "metadata": {"name": name, **owner}, "spec": {"template": template}})
        for index in range(item["spec"].get("replicas", 1)):
            pod: Thing = {"kind": "Pod", "metadata": {"name": f"{name}-{index}"}, "spec": template["spec"]}
            pod["metadata"]["ownerReferences"] = [{"uid": f"ReplicaSet-{name}"}]
            pod["status"] = _status(pod, CRASH if crashes else None, ready=not bad)
            self.put(pod)
        count = item["spec"].get("replicas", 1)
        status = {"replicas": count, "availableReplicas": count, "updatedReplicas": 0 if bad else count}
        stored = {**item, "status": {**status, "observedGeneration": item["metadata"]["generation"] + 2}}
        if revision(template) in self.stalls:
            self._stalled = {**STALLED, "lastUpdateTime": now()}
        if self._stalled:  # kept, as the controller does, for as long as pods of both releases are there
            both = {**stored["status"], "replicas": 2 * count, "conditions": [self._stalled]}
            self.put({**stored, "status": both})
        if self._stalled and not bad:
            self._stalled = {}
            threading.Timer(0.2, self.put, [stored]).start()
        elif not self._stalled:
            self.put(stored)

    def _end(self, kind: str, name: str, *, again: bool) -> None:
        """Delete a pod, which takes its time, or another object; what is made AGAIN goes at once."""
        pod = self.objects[kind, name]
        if again or not self.drains or kind != "Pod":
            self.drop(kind, name)
        elif "deletionTimestamp" not in pod["metadata"]:
            self.put({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": now()}})
            threading.Timer(self.drains, self.drop, [kind, name]).start()

    def _tell(self, kind: str, what: str, item: Thing) -> None:
        for changes in self._watches.get(kind, ()):
            changes.put({"type": what, "object": copy.deepcopy(item)})

    def answer(self, handler: Any) -> None:
        url = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        sent = json.loads(handler.rfile.read(int(handler.headers.get("Content-Length", 0))) or "null")
        self.on_ask(url.path)
        if url.path in ("/", "/version", "/readyz"):
            if url.path in self.blocked:
                return handler.reply(403, BLOCKED)
            with self._lock:
                body = self._served() if url.path == "/version" else {}
            return handler.reply(self.page if url.path == "/" else 200, body)
        if (proxy := PROXY.fullmatch(url.path)) is not None:
            self.proxied.append((handler.command, proxy[1], proxy[2], dict(handler.headers)))
            with self._lock:
                pod = self.objects.get(("Pod", proxy[1].partition(":")[0]))
                behaviour, answer = self.behaves.get(revision(pod) if pod else ""), self._proxy(proxy[1], proxy[2])
            known = behaviour and proxy[2] in ("/", "/metrics")
            return handler.reply(*(behaviour.answer(proxy[2]) if behaviour and known else answer))
        if url.path.startswith("/apis/") and url.path.count("/") == 3:
            return handler.reply(200, {"resources": [{"kind": kind} for kind in self.added]})
        parts = url.path.removeprefix("/apis/").removeprefix("/api/").split("/")
        plural, name = (parts[-1], "") if parts[-1] in KINDS else (parts[-2], parts[-1])
        kind = KINDS[plural][1]
        if handler.command != "GET":
            self.asked.append((handler.command, handler.path))
        if query.get("watch"):
            return self._stream(handler, kind)
        with self._lock:
            status, body = getattr(self, f"_{handler.command.lower()}")(plural, kind, name, query, sent)
        return handler.reply(status, body)

    def _get(self, plural: str, kind: str, name: str, query: dict[str, str], sent: Thing) -> tuple[int, Thing]:
        if plural in self.forbidden:
            return 403, {"message": f"{plural} is forbidden"}
        if name:
            item = self.objects.get((kind, name))
            return (200, item) if item else (404, {"message": f"{plural} {name} not found"})
        pairs = [pair.partition("=") for pair in query.get("labelSelector", "").split(",") if pair]
        wanted, keys = {key: value for key, equals, value in pairs if equals}, {key for key, _, _ in pairs}
        items = [item for (known, _), item in self.objects.items() if known == kind]
        items = [i for i in items if wanted.items() <= i["metadata"].get("labels", {}).items()]
        items = [i for i in items if keys <= i["metadata"].get("labels", {}).keys()]
        metadata = {"resourceVersion": str(next(self._version))}
        return 200, {"apiVersion": KINDS[plural][0], "kind": f"{kind}List", "metadata": metadata, "items": items}

    def _patch(self, plural: str, kind: str, name: str, query: dict[str, str], sent: Thing) -> tuple[int, Thing]:
        standing = self.objects.get((kind, name))
        if kind == "Job" and standing and standing["spec"]["template"] != sent["spec"]["template"]:
            return 422, {"message": "spec.template: field is immutable"}
        if self.full and kind == "Pod":
            return 403, {"message": self.full}
        if self.refusals:
            return 422 if query["force"] == "true" else 409, {"message": self.refusals.pop(0)}
        if kind in ("ConfigMap", "Secret") and sum(map(len, _contents(sent))) > 1 << 20:
            return 422, {"message": f'{kind} "{name}" is invalid: []: Too long: may not be more than 1048576 bytes'}
        return 200, sent if query.get("dryRun") else self.apply(sent, query["fieldManager"])

    def _post(self, plural: str, kind: str, name: str, query: dict[str, str], sent: Thing) -> tuple[int, Thing]:
        return 201, self.put(sent)

    def _put(self, plural: str, kind: str, name: str, query: dict[str, str], sent: Thing) -> tuple[int, Thing]:
        if sent["metadata"]["resourceVersion"] != self.objects[kind, name]["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        return 200, self.put(sent)

    def _delete(self, plural: str, kind: str, name: str, query: dict[str, str], sent: Thing) -> tuple[int, Thing]:
        found = (kind, name) in self.objects
        wanted = ((sent or {}).get("preconditions") or {}).get("resourceVersion")
        if found and wanted and wanted != self.objects[kind, name]["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        if (word := f"{kind.lower()}/{name}") in self.undeletable:
            return 403, {"message": f"{word} is forbidden"}
        if not (self.stuck and kind == "Pod"):
            self.drop(kind, name)
        return (200, {}) if found else (404, {"message": f"{plural} {name} not found"})

    def _proxy(self, name: str, path: str) -> tuple[int, Thing]:
        pod = self.objects.get(("Pod", name.partition(":")[0]))
        if pod is None or pod["status"]["conditions"][0]["status"] != "True" or revision(pod) in self.unserved:
            return 503, {"kind": "Status", "message": "error trying to reach service: connection refused"}
        if path == "/":  # with its links as a proxy changes them
            return 200, {"link": f"/api/v1/namespaces/shop/pods/{name}/proxy/static"}
        return (200, _version(pod)) if path == "/version" else (404, {"error": {"status": 404}})

    def _served(self) -> Thing:
        """What the application answers; its pods are those of the Deployment app."""
        every = [item for (kind, name), item in self.objects.items() if kind == "Pod" and name.startswith("app-")]
        pods = [pod for pod in every if pod["metadata"].get("ownerReferences")]
        pods = [pod for pod in pods if self.lingers or not pod["metadata"].get("deletionTimestamp")]
        ready = [
            p for p in pods if p["status"]["conditions"][0]["status"] == "True" and revision(p) not in self.unserved
        ]
        if not ready:
            return {}
        return _version(ready[next(self._turn) % len(ready)])

    def _stream(self, handler: Any, kind: str) -> None:
        changes: queue.Queue[Thing | None] = queue.Queue()
        with self._lock:
            for (known, _), item in self.objects.items():
                if known == kind:
                    changes.put({"type": "MODIFIED", "object": copy.deepcopy(item)})
            self._watches[kind].append(changes)
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while change := changes.get():
            data = json.dumps(change).encode() + b"\n"
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()
        handler.close_connection = True


def _version(pod: Thing) -> Thing:
    """What the application in POD answers to /version."""
    digest = pod["spec"]["containers"][0]["image"].partition("@")[2]
    return {"pod": pod["metadata"]["name"], "revision": revision(pod), "digest": digest}


def _status(pod: Thing, containers: list[Thing] | None, *, ready: bool) -> Thing:
    """The status of POD, which is READY or not; its CONTAINERS, unless they are well."""
    well = {"name": "app", "imageID": pod["spec"]["containers"][0]["image"], "containerID": "containerd://1"}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"conditions": conditions, "containerStatuses": containers or [well]}


def _handler(kubernetes: Kubernetes) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer waits 40 ms for an acknowledgement

        def do_GET(self) -> None:
            kubernetes.answer(self)

        do_PATCH = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

        def reply(self, status: int, body: Thing | str) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


class Kubectl(Runner):
    """Does what kubectl, git and pytest would, without a process; `ran` are the commands. `older` commits are those
    that git finds in any other; `pushed` says whether commits are on a remote branch."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        super().__init__({})
        self.kubernetes, self.ran = kubernetes, list[Command]()
        self.logs, self.junit, self.forbidden = "", "", False
        self.pushed, self.older = True, set[str]()

    def run(self, command: Command, **_: Any) -> Result:
        self.admit(change=command.kind is Kind.CHANGE)
        self.ran.append(command)
        if "pytest" in command.argv:
            report = next(word for word in command.argv if word.startswith("--junit-xml="))
            Path(report.partition("=")[2]).write_text(self.junit)
            return result()
        if command.argv[0] == "git":
            ancestor = command.argv[-2] in self.older
            return result("", 0 if ancestor else 1)
        words = [word for word in command.argv[3:] if not word.startswith("--")]
        sent = command.stdin.reveal() if isinstance(command.stdin, Secret) else command.stdin
        return result(getattr(self, f"on_{words[0]}")(words[1:], list(_items(sent))) or "")

    def verbs(self) -> list[str]:
        return [next(w for w in command.argv[3:] if not w.startswith("--")) for command in self.ran]

    def _known(self, items: list[Thing]) -> None:
        """Refuse what kubectl does not find a kind for."""
        for item in items:
            if item["kind"] in ADDED - self.kubernetes.added:
                raise CommandFailed("kubectl", 1, tail=f'error: no matches for kind "{item["kind"]}"')

    def on_apply(self, words: list[str], items: list[Thing]) -> None:
        self._known(items)
        if self.forbidden:
            raise CommandFailed("kubectl", 1, tail="Error from server (Forbidden): namespaces")
        for item in items:
            self.kubernetes.apply(item)

    def on_get(self, words: list[str], items: list[Thing]) -> str:
        self._known(items)
        keys = [(item["kind"], item["metadata"]["name"]) for item in items]
        stored = [self.kubernetes.objects[key] for key in keys if key in self.kubernetes.objects]
        return json.dumps({"kind": "List", "items": stored})

    def on_delete(self, words: list[str], items: list[Thing]) -> None:
        for word in words:
            kind, _, name = word.partition("/")
            if word in self.kubernetes.undeletable:
                raise CommandFailed("kubectl", 1, tail=f"{word} is forbidden")
            kind = next(known for known in (*PLURALS, "Gateway") if known.lower() == kind)
            self.kubernetes.drop(kind, name)
        for item in items:
            self.kubernetes.drop_whole(item["kind"], item["metadata"]["name"])

    def on_logs(self, words: list[str], items: list[Thing]) -> str:
        return self.logs

    def on_describe(self, words: list[str], items: list[Thing]) -> str:
        return "described"


def now() -> str:
    """The time as the API server writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def result(stdout: str = "", exit_code: int = 0) -> Result:
    return Result(exit_code=exit_code, raw=stdout.encode(), tail="", seconds=0, log=None)


def _contents(sent: Thing) -> Iterator[bytes]:
    """What a ConfigMap or Secret holds, as the API server counts it."""
    encoded = ("binaryData",) if sent["kind"] == "ConfigMap" else ("data",)
    for field in ("data", "stringData", "binaryData"):
        for value in (sent.get(field) or {}).values():
            yield base64.b64decode(value, validate=True) if field in encoded else value.encode()


def _items(text: str | None) -> Iterator[Thing]:
    sent = json.loads(text or '{"kind": "List", "items": []}')
    yield from sent["items"] if sent["kind"] == "List" else [sent]


def owners(thing: Thing) -> set[str]:
    return {owner["uid"] for owner in thing["metadata"].get("ownerReferences", ())}


def owns(item: Thing, thing: Thing) -> bool:
    return item["metadata"]["uid"] in owners(thing)


def revision(thing: Thing) -> str:
    """The revision that a pod, or a pod template, runs."""
    environment = thing["spec"]["containers"][0].get("env", ())
    return next((str(one["value"]) for one in environment if one["name"] == "REVISION"), "")


def site_of(kubernetes: Kubernetes, runner: Runner, folder: Path, **facts: Any) -> Site:
    """A site whose cluster and public address KUBERNETES is."""
    settings = {
        "name": "local",
        "namespace": "shop",
        "bake": 0,
        "rollout_deadline": 20.0,
        "verify_deadline": 15.0,  # a busy machine needs some of it
        "hook_deadline": 20.0,
        "lease_wait": 1.0,
        **facts.pop("settings", {}),
    }
    known: dict[str, Any] = {
        "cluster": cluster_at(kubernetes.url.replace("shop.localhost", "127.0.0.1"), kubernetes.authority),
        "environment": Environment(**settings),
        "runner": runner,
        "url": kubernetes.url,
        "authority": kubernetes.authority,
        "actor": "somebody",
        "checkout": "here",
        "job": "",
        "eks": "",
        "work": folder / "work",
        "sources": lambda: folder / "sources",
    }
    return Site(**known | facts)


def impatient(site: Site) -> Site:
    """SITE, for a test whose address never serves: it gives up after a second."""
    return replace(site, environment=replace(site.environment, verify_deadline=1.0))
