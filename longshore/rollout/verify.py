"""The last question of a release: whether the public address answers with what was just released."""

from __future__ import annotations

import functools
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from longshore.errors import StepFailed

ANSWERS = 6  # in a row, each on a connection of its own
PAUSE = 0.2  # seconds between two questions while the answers are wrong
MEET = 10.0  # seconds to meet every replica once the answers are right
MEET_PAUSE = 0.02  # seconds between two questions meanwhile


class Unverified(StepFailed):
    """The public address does not answer, or not with the release."""


class _Connection(http.client.HTTPSConnection):
    """HTTPS to a name that may end in .localhost: such a name is this machine (RFC 6761), whatever the resolver says."""

    def connect(self) -> None:
        address = "127.0.0.1" if f".{self.host}".endswith(".localhost") else self.host
        self.sock = socket.create_connection((address, self.port), self.timeout)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


@functools.cache
def _trusting(authority: Path | None) -> ssl.SSLContext:
    """Return what checks certificates; to read the system's authorities takes 20 ms."""
    return ssl.create_default_context(cafile=str(authority) if authority else None)


def ask(url: str, path: str, authority: Path | None, timeout: float = 5.0) -> tuple[int, str]:
    """Return status and body of URL + PATH; AUTHORITY is a CA certificate file in place of the system's. Raises OSError."""
    parts, context = urlsplit(url), _trusting(authority)
    connection = _Connection(str(parts.hostname), parts.port or 443, timeout=timeout, context=context)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(1 << 20).decode(errors="replace")
    except http.client.HTTPException as problem:
        raise OSError(f"no HTTP answer: {problem}") from None
    finally:
        connection.close()


def version(url: str, authority: Path | None) -> dict[str, Any]:
    """Return what /version says. Raises OSError where it does not answer with 200 and JSON."""
    status, body = ask(url, "/version", authority)
    if status != 200:
        raise OSError(f"answered {status}")
    try:
        found = json.loads(body)
    except ValueError:
        raise OSError("did not answer with JSON") from None
    return found if isinstance(found, dict) else {}


def until_answers(
    url: str,
    authority: Path | None,
    *,
    digest: str,
    revision: str,
    deadline: float,
    pause: Callable[[float], None],
    say: Callable[[str], None],
    replicas: Callable[[], Iterable[str]] = tuple,
) -> set[str]:
    """Ask until ANSWERS in a row come from the release and each of its REPLICAS has answered; return those that did.

    A balancer that keeps its connections may never lead to one of them: after MEET seconds of right answers that is no reason to undo a
    release whose pods are ready and run its digest. Raises Unverified after DEADLINE seconds, with the last thing that was wrong.
    """
    end = time.monotonic() + deadline
    pods: set[str] = set()
    row, since, wrong = 0, time.monotonic(), "it has not answered yet"
    while True:
        try:
            found = version(url, authority)
            right = (found.get("digest"), found.get("revision")) == (digest, revision)
            row, since = (row + 1, since) if right else (0, time.monotonic())
            digest_found = str(found.get("digest"))[:19]
            wrong = f"it answers with revision {found.get('revision')}, digest {digest_found}"
            if right:
                pods.add(str(found.get("pod")))
                if row >= ANSWERS and (time.monotonic() - since > MEET or set(replicas()) <= pods):
                    return pods
                wrong = f"{len(pods)} of its replicas have answered so far"
        except OSError as problem:
            row, since, wrong = 0, time.monotonic(), str(problem)
        if time.monotonic() > end:
            raise Unverified(
                f"{url} does not serve the release: {wrong}",
                hint="`invoke local.logs` and `invoke release.logs` say more",
            )
        say(f"asking {url}: {wrong}")
        pause((MEET_PAUSE if row > ANSWERS else 0) if row else PAUSE)
