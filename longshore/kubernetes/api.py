"""A client of the API server that starts no process for a request: watching a rollout asks far too often for kubectl.

It reads the same kubeconfig as kubectl. An exec credential plugin runs through the runner, once per token.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, DeadlineExceeded, Precondition
from longshore.kubernetes import eks_token, kubeconfig
from longshore.kubernetes.kubeconfig import Access
from longshore.process.command import Secret, query
from longshore.process.runner import Runner

TIMEOUT = 10.0  # seconds for an answer
PAGE = 500  # objects per page of a list, so that a large namespace never becomes one large answer
LINE = 8 << 20  # bytes of one watch event; etcd takes objects of up to 1.5 MiB
BUSY = (429, 500, 503, 504)  # HTTP's statuses of a server that may answer the next request
EARLY = 60.0  # seconds before its expiry at which a token is replaced


class Refused(Exception):
    """The API server answered with an error: HTTP's `status`, and the whole message as `reason`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the API server answered {status}: {reason[:300]}")
        self.status, self.reason = status, reason


class Api:
    """A client of one cluster, safe to share between threads: each request has a connection of its own.

    Its methods raise Refused where the server refuses, and OSError where there is no answer or it breaks off.
    """

    def __init__(self, cluster: Cluster, runner: Runner) -> None:
        access = kubeconfig.read(cluster.kubeconfig, cluster.context)
        parts = urlsplit(access.server)
        self.host, self.port = str(parts.hostname), parts.port or 443
        self.root = parts.path.rstrip("/")
        self.address, self.authority, self.namespace = access.server, access.authority, cluster.namespace
        self._access, self._env, self._runner = access, cluster.env, runner
        self._context = _context(access)
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        stream = socket.create_connection((self.host, self.port), timeout)
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._context.wrap_socket(stream, server_hostname=self._access.server_name or self.host)
        except BaseException:
            stream.close()
            raise
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self._context)
        connection.sock = secured
        return connection

    @contextlib.contextmanager
    def connection(self, timeout: float = TIMEOUT) -> Iterator[http.client.HTTPSConnection]:
        """A connection for requests one after the other."""
        connection = self.connect(timeout)
        try:
            yield connection
        except http.client.HTTPException as problem:
            raise OSError(f"the answer broke off: {problem!r}") from None
        finally:
            connection.close()

    def ask(
        self,
        connection: http.client.HTTPSConnection,
        path: str,
        method: str = "GET",
        body: Any = None,
        media_type: str = "application/json",
    ) -> http.client.HTTPResponse:
        """Return the answer to METHOD PATH, with BODY as JSON."""
        data = None if body is None else json.dumps(body)
        headers = self._headers() | ({} if body is None else {"Content-Type": media_type})
        try:
            connection.request(method, self.root + path, body=data, headers=headers)
            answer = connection.getresponse()
        except http.client.HTTPException as problem:
            raise OSError(f"no HTTP answer: {problem!r}") from None
        if answer.status == 401:
            self._until = 0.0
        if answer.status not in (200, 201):
            raise Refused(answer.status, _reason(answer.read(1 << 16)))
        return answer

    def relay(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of what METHOD PATH is answered with, by the server or by a pod behind it."""
        connection.request(method, self.root + path, body=body, headers={**self._headers(), **headers})
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def text(self, path: str, timeout: float = TIMEOUT, *, method: str = "GET", body: Any = None) -> str:
        with self.connection(timeout) as connection:
            return self.ask(connection, path, method, body).read().decode(errors="replace")

    def get(self, path: str, timeout: float = TIMEOUT) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.text(path, timeout))
        return answer

    def several(self, paths: Iterable[str], method: str = "GET") -> list[dict[str, Any] | None]:
        """Return the answer to METHOD for each of PATHS over one connection, None where there is nothing."""
        objects: list[dict[str, Any] | None] = []
        with self.connection() as connection:
            for path in paths:
                try:
                    objects.append(json.loads(self.ask(connection, path, method).read()))
                except Refused as problem:
                    if problem.status != 404:
                        raise
                    objects.append(None)
        return objects

    def send(self, method: str, path: str, body: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
        """Write BODY and return the object as the server stored it."""
        answer: dict[str, Any] = json.loads(self.text(path, timeout, method=method, body=body))
        return answer

    def pages(
        self, path: str, selector: str = "", connection: http.client.HTTPSConnection | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the pages of the list at PATH as the server gives them: all items are from one moment.

        They come over CONNECTION if there is one, else over one each: a page may be worked on for long.
        """
        more = ""
        while True:
            url = f"{path}?limit={PAGE}{selector}{more}"
            page = json.loads(self.ask(connection, url).read()) if connection else self.get(url)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            more = f"&continue={token}"

    def items(self, path: str, selector: str) -> list[dict[str, Any]]:
        """Return the objects at PATH with the label SELECTOR (`label=value`). Raises Precondition where it cannot.

        A server that is silent or too busy once is asked a second time: nothing depends on which of its answers it is.
        """
        again = True
        while True:
            try:
                return [
                    {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")} | item
                    for page in self.pages(path, f"&labelSelector={quote(selector)}")
                    for item in page["items"]
                ]
            except UNANSWERED as problem:
                passing = problem.status in BUSY if isinstance(problem, Refused) else isinstance(problem, OSError)
                if not (again and passing):
                    raise Precondition(f"cannot list {path}: {problem}") from None
                again = False

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "longshore"}
        with self._lock:
            if self._access.plugin and time.time() > self._until - EARLY:
                self._token, self._until = _credential(self._access.plugin, self._env, self._runner)
        token = self._token or self._access.token
        if not token and self._access.token_file:
            token = self._access.token_file.read_text(encoding="utf-8").strip()
        if token:
            self._runner.redactor.add(Secret(token))
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if access.authority:
        context.load_verify_locations(cadata=access.authority)
    else:
        context.load_default_certs()
    if access.certificate:
        # OpenSSL reads a certificate only from a file: ours is private and deleted at once.
        with tempfile.NamedTemporaryFile("w") as draft:
            draft.write(f"{access.certificate}\n{access.key}\n")
            draft.flush()
            context.load_cert_chain(draft.name)
    return context


def _credential(plugin: Mapping[str, Any], env: Mapping[str, str | Secret], runner: Runner) -> tuple[str, float]:
    """Run the credential PLUGIN with ENV; return its token and when it expires (Unix time). Raises Precondition."""
    named = {variable["name"]: variable["value"] for variable in plugin.get("env") or ()}
    argv = (plugin["command"], *(plugin.get("args") or ()))
    command = query(*argv, env={**env, **named}, private=True, deadline=30)
    # Starting Python to read a file would take longer than all requests together.
    ours = argv[1:3] == eks_token.PLUGIN
    output = eks_token.cached(argv[3:], runner.environment(command)) if ours else None
    if output is None:
        output = runner.run(command).stdout
    try:
        status = json.loads(output)["status"]
        expires = status.get("expirationTimestamp")
        until = datetime.fromisoformat(expires).timestamp() if expires else time.time() + 3600
        return str(status["token"]), until
    except (ValueError, KeyError, TypeError):
        name, hint = os.path.basename(plugin["command"]), "run it as the kubeconfig's `exec` does to see why"
        raise Precondition(f"the credential plugin {name} printed no token", hint=hint) from None


def _reason(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get("message", ""))
    return body.decode(errors="replace")


# How a request that is worth repeating can fail; Interrupted is not among them.
UNANSWERED = (OSError, Refused, http.client.HTTPException, ValueError, CommandFailed, DeadlineExceeded)
