"""An API server in this process, over real TLS: it stores objects, streams changes, and is its own controllers.

The same address answers as the application: /version names the pod, digest and revision that are ready. A pod that
belongs to nobody answers through its proxy alone.
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.unit.api_server import BLOCKED, certificate
from tests.unit.rollout.application import Application
from tests.unit.rollout.store import KINDS
from tests.unit.rollout.things import Thing, revision

ADDED = {"Gateway", "ScaledObject"}  # kinds that others added to the cluster
PROXY = re.compile(r"/api/v1/namespaces/shop/pods/([^/]+)/proxy(/.*)")


class Kubernetes(Application):
    """`full` is what pods are refused with, `stuck` says that they do not end. `page` is the status that the
    application's own page answers with. `proxied` are requests to pods through the proxy: method, pod and port, path,
    headers.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []  # method and path, without those that only read
        self.added = set(ADDED)
        self.forbidden: set[str] = set()  # plurals that may not be read
        self.undeletable: set[str] = set()  # as kubectl names them: configmap/ours
        self.refusals: list[str] = []  # what the next applications of objects are refused with
        self.page = 200
        self.blocked: set[str] = set()  # paths at which the web ACL answers instead
        self.full, self.stuck = "", False
        self.proxied: list[tuple[str, str, str, dict[str, str]]] = []
        self.on_ask: Callable[[str], object] = lambda path: None
        self.authority, key = certificate(folder)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up
        self.url = f"https://shop.localhost:{self.http.server_port}"

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

    def _stream(self, handler: Any, kind: str) -> None:
        changes = self.watch(kind)
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while change := changes.get():
            data = json.dumps(change).encode() + b"\n"
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()
        handler.close_connection = True


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


def _contents(sent: Thing) -> Iterator[bytes]:
    """What a ConfigMap or Secret holds, as the API server counts it."""
    encoded = ("binaryData",) if sent["kind"] == "ConfigMap" else ("data",)
    for field in ("data", "stringData", "binaryData"):
        for value in (sent.get(field) or {}).values():
            yield base64.b64decode(value, validate=True) if field in encoded else value.encode()
