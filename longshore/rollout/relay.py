"""Lets programs that know nothing of Kubernetes ask one pod: over loopback, through the API server's pod proxy."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import threading
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from longshore.errors import Failure
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.paths import collection
from longshore.rollout.pods import short
from longshore.rollout.site import Site

# Headers of a request that end at the relay: those of its connection, and those by which the API server knows us.
OURS = re.compile(
    r"(?i)(host|connection|accept-encoding|content-length|transfer-encoding|expect|authorization|impersonate-.*|x-forwarded-.*)\Z"
)
THEIRS = ("connection", "content-length", "transfer-encoding")  # of an answer


class Way(Struct, frozen=True):
    """The way to a port of a pod through the API server: below the path `base`.

    The pod is asked as the load balancer asks: with `headers`, under the public host name, the only one that it may
    serve.
    """

    api: Api
    base: str
    headers: dict[str, str]

    @classmethod
    def to(cls, site: Site, api: Api, pod: str, port: int) -> Way:
        public = urlsplit(site.url)
        base = f"{collection('Pod', site.cluster.namespace)}/{pod}:{port}/proxy"
        return cls(api, base, {"Host": public.netloc, "X-Forwarded-Proto": public.scheme})

    def ask(self, connection: http.client.HTTPSConnection, path: str) -> tuple[int, bytes]:
        """Return status and body of what the pod answers to GET PATH; a status of its own where it does not."""
        status, _, body = self.api.relay(connection, "GET", self.base + path, self.headers)
        return status, body


class Relay(http.server.ThreadingHTTPServer):
    """A server whose `url`, on loopback, leads to PORT of the pod POD while entered; not kept open longer than needed.

    `refusal` is what the API server last said in the pod's place.
    """

    daemon_threads = True

    def __init__(self, site: Site, pod: str, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.way, self.refusal = Way.to(site, Api(site.cluster, site.runner), pod, port), ""
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self.shutdown()
        self.server_close()


class _Request(http.server.BaseHTTPRequestHandler):
    server: Relay

    def do_GET(self) -> None:
        relay, way = self.server, self.server.way
        if not self.path.startswith("/") or ".." in unquote(self.path.partition("?")[0]).split("/"):
            return self.send_error(400)  # our credentials are for this pod alone
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers = {name: value for name, value in self.headers.items() if not OURS.match(name)}
        try:
            with way.api.connection() as connection:
                answer = way.api.relay(connection, self.command, way.base + self.path, headers | way.headers, body)
        except (*UNANSWERED, Failure) as problem:
            relay.refusal = str(problem)
            return self.send_error(502)
        status, headers_back, data = answer
        data = data.replace(way.base.encode(), b"")  # the API server puts its path before links and redirects
        relay.refusal = _refusal(data) if status >= 400 else ""
        self.send_response_only(status)
        for name, value in headers_back:
            if name.lower() not in THEIRS:
                self.send_header(name, value.replace(way.base, ""))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return None

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - the base class looks for these

    def log_message(self, *_: Any) -> None:
        pass


def _refusal(data: bytes) -> str:
    """Return what the API server says in DATA, an empty text for an answer of the pod's own."""
    with contextlib.suppress(ValueError, AttributeError):
        answer = json.loads(data)
        return short(str(answer.get("message", ""))) if answer.get("kind") == "Status" else ""
    return ""
