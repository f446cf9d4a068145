"""A client of the API server that starts no process for a question: what watches a rollout asks far too often for kubectl.

It reads the same kubeconfig as kubectl and goes straight to the server. An exec credential plugin runs through the runner, once per token.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from longshore import eks_token
from longshore.command import Secret, query
from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, DeadlineExceeded, Precondition
from longshore.runner import Runner

TIMEOUT = 10.0  # seconds for an answer
PAGE = 500  # objects of a list at once: a large namespace never becomes one large answer
LINE = 8 << 20  # bytes of one watch event; etcd takes objects of 1.5 MiB
OWN = ("-m", "longshore.eks_token")  # the arguments that make Python our own credential plugin
EARLY = 60.0  # seconds before its end at which a token is replaced


class Refused(Exception):
    """The API server answered with an error. `status` is HTTP's, `reason` all that it said."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the API server answered {status}: {reason[:300]}")
        self.status, self.reason = status, reason


class Api:
    """Questions to one cluster; safe to use from several threads: each question has a connection of its own."""

    def __init__(self, cluster: Cluster, runner: Runner) -> None:
        server, user = _read(cluster)
        parts = urlsplit(server["server"])
        self.host, self.port = str(parts.hostname), parts.port or 443
        self.root = parts.path.rstrip("/")
        self.address, self.namespace = server["server"], cluster.namespace
        self._name = server.get("tls-server-name") or self.host
        self._user, self._runner = user, runner
        self._context = _context(server, user, cluster.kubeconfig.parent)
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        """Open a connection. Raises OSError."""
        stream = socket.create_connection((self.host, self.port), timeout)
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._context.wrap_socket(stream, server_hostname=self._name)
        except BaseException:
            stream.close()
            raise
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self._context)
        connection.sock = secured
        return connection

    def ask(
        self, connection: http.client.HTTPSConnection, path: str, method: str = "GET", thing: Any = None, kind: str = "application/json"
    ) -> http.client.HTTPResponse:  # fmt: skip
        """Return the answer to METHOD PATH on CONNECTION; KIND is THING's media type. Raises Refused, OSError where none comes."""
        body = None if thing is None else json.dumps(thing)
        headers = self._headers() | ({} if thing is None else {"Content-Type": kind})
        try:
            connection.request(method, self.root + path, body=body, headers=headers)
            answer = connection.getresponse()
        except http.client.HTTPException as problem:
            raise OSError(f"no HTTP answer: {problem!r}") from None
        if answer.status == 401:
            self._until = 0.0
        if answer.status not in (200, 201):
            raise Refused(answer.status, _reason(answer.read(1 << 16)))
        return answer

    def text(self, path: str, timeout: float = TIMEOUT, *, method: str = "GET", thing: Any = None) -> str:
        """Return the body of PATH. Raises Refused, OSError."""
        connection = self.connect(timeout)
        try:
            return self.ask(connection, path, method, thing).read().decode(errors="replace")
        except http.client.HTTPException as problem:
            raise OSError(f"the answer broke off: {problem!r}") from None
        finally:
            connection.close()

    def get(self, path: str, timeout: float = TIMEOUT) -> dict[str, Any]:
        """Return the object at PATH. Raises Refused, OSError."""
        found: dict[str, Any] = json.loads(self.text(path, timeout))
        return found

    def several(self, paths: Iterable[str]) -> list[dict[str, Any] | None]:
        """Return the object at each of PATHS, None where there is none, all over one connection. Raises Refused, OSError."""
        connection = self.connect(TIMEOUT)
        found: list[dict[str, Any] | None] = []
        try:
            for path in paths:
                try:
                    found.append(json.loads(self.ask(connection, path).read()))
                except Refused as problem:
                    if problem.status != 404:
                        raise
                    found.append(None)
            return found
        except http.client.HTTPException as problem:
            raise OSError(f"the answer broke off: {problem!r}") from None
        finally:
            connection.close()

    def send(self, method: str, path: str, thing: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
        """Write THING and return what the server made of it. Raises Refused, OSError."""
        made: dict[str, Any] = json.loads(self.text(path, timeout, method=method, thing=thing))
        return made

    def pages(self, path: str, selector: str = "") -> Iterator[dict[str, Any]]:
        """Yield the list at PATH page by page, each as the server gives it: its items all stem from one moment."""
        more = ""
        while True:
            page = self.get(f"{path}?limit={PAGE}{selector}{more}")
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            more = f"&continue={token}"

    def items(self, path: str, selector: str) -> list[dict[str, Any]]:
        """Return the objects at PATH that SELECTOR (`label=value`) chooses, with their kind, which a list names once.

        Raises Precondition where the server does not give them.
        """
        try:
            return [
                {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")} | thing
                for page in self.pages(path, f"&labelSelector={quote(selector)}")
                for thing in page["items"]
            ]
        except UNANSWERED as problem:
            raise Precondition(f"the API server does not say what there is in {path}: {problem}") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "longshore"}
        with self._lock:
            if "exec" in self._user and time.time() > self._until - EARLY:
                self._token, self._until = _credential(self._user["exec"], self._runner)
        token = self._token or self._user.get("token", "")
        if not token and "tokenFile" in self._user:
            token = Path(self._user["tokenFile"]).read_text().strip()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _read(cluster: Cluster) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the cluster and the user that the kubeconfig's context names."""
    try:
        text = cluster.kubeconfig.read_text()
        try:
            config = json.loads(text)
        except ValueError:
            import yaml

            config = yaml.safe_load(text)
        context = next(one["context"] for one in config["contexts"] if one["name"] == cluster.context)
        server = next(one["cluster"] for one in config["clusters"] if one["name"] == context["cluster"])
        user = next(one["user"] for one in config["users"] if one["name"] == context["user"])
    except (OSError, StopIteration, KeyError, TypeError, ValueError):
        raise Precondition(
            f"{cluster.kubeconfig} does not say how to reach the cluster of context {cluster.context!r}",
            hint="`kubectl config view` shows what it holds",
        ) from None
    return server, user


def _context(server: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if data := server.get("certificate-authority-data"):
        context.load_verify_locations(cadata=base64.b64decode(data).decode())
    elif file := server.get("certificate-authority"):
        context.load_verify_locations(cafile=str(folder / file))
    else:
        context.load_default_certs()
    certificate = _file(user, "client-certificate", folder)
    if certificate:
        key = _file(user, "client-key", folder)
        # OpenSSL takes a certificate from a file alone; this one is private and gone at once.
        with tempfile.NamedTemporaryFile("w") as draft:
            draft.write(f"{certificate}\n{key}\n")
            draft.flush()
            context.load_cert_chain(draft.name)
    return context


def _file(user: dict[str, Any], key: str, folder: Path) -> str:
    if data := user.get(f"{key}-data"):
        return base64.b64decode(data).decode()
    return (folder / user[key]).read_text() if key in user else ""


def _credential(plugin: dict[str, Any], runner: Runner) -> tuple[str, float]:
    """Run the exec credential PLUGIN; return its token and until when (Unix time) it holds."""
    env = {one["name"]: one["value"] for one in plugin.get("env") or ()}
    argv = (plugin["command"], *(plugin.get("args") or ()))
    said = None
    if argv[1:3] == OWN:  # starting Python to read a file would take longer than all questions together
        said = eks_token.kept(argv[3:], {**runner.environ, **env})
    if said is None:
        secret: dict[str, str | Secret] = dict(env)
        said = runner.run(query(*argv, env=secret, private=True, deadline=30)).stdout
    try:
        status = json.loads(said)["status"]
        expires = status.get("expirationTimestamp")
        until = datetime.fromisoformat(expires).timestamp() if expires else time.time() + 3600
        return str(status["token"]), until
    except (ValueError, KeyError, TypeError):
        name = os.path.basename(plugin["command"])
        raise Precondition(
            f"the credential plugin {name} gave no token", hint="kubectl calls it the same way"
        ) from None


def _reason(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get("message", ""))
    return body.decode(errors="replace")


# What a question may end with that is worth asking again; a signal is none of it.
UNANSWERED = (OSError, Refused, http.client.HTTPException, ValueError, CommandFailed, DeadlineExceeded)
