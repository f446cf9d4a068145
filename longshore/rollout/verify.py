"""The last check of a release: that the public address answers with what was just released."""

from __future__ import annotations

import functools
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from longshore import AGENT
from longshore.errors import StateUnknown, StepFailed
from longshore.kubernetes.api import Api
from longshore.rollout import web_acl
from longshore.rollout.asked import Asked, behind
from longshore.rollout.records import Release
from longshore.rollout.shape import Target
from longshore.rollout.site import Site

ANSWERS = 6  # in a row, each on a connection of its own unless it is said otherwise
CROWD = 8  # requests at once that are all answered right in the end
CROWD_PAUSE = 3.0  # seconds between two crowds, less at first: the web ACL allows an address 2,000 in five minutes
PAUSE = 0.2  # seconds between two requests while the answers are wrong, less at first
# Seconds that a block by rate lasts at most once the requests are few: the web ACL's window, and its own delay.
LASTS = 330.0
MEET = 10.0  # seconds to meet every replica once the answers are right
CHECKED = 10.0  # seconds that the paths to check may answer 500 and above once the release is there
MEET_PAUSE = 0.02  # seconds between two requests meanwhile
# Ready pods may be out of reach: the kubelet's probes come from the node, which every policy lets in.
SILENT = "nothing answers in time, as where a page is slow or a NetworkPolicy lets nobody in"

ALWAYS = Asked()
Get = Callable[[str], tuple[int, str]]


class Unverified(StepFailed):
    """The public address does not answer, or not with the release."""

    hint = "see `invoke release.logs`, and for a local environment `invoke local.logs`"


class Unasked(StateUnknown):
    """The web ACL kept the public address from being asked: nothing is known against the release."""

    hint = f"{web_acl.HINT}; where it is another rule, AWS WAF's log names it. Then deploy again"


class _Connection(http.client.HTTPSConnection):
    """HTTPS, also to a name under .localhost, which is this machine whatever the resolver says (RFC 6761)."""

    def connect(self) -> None:
        address = "127.0.0.1" if f".{self.host}".endswith(".localhost") else self.host
        self.sock = socket.create_connection((address, self.port), self.timeout)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


@functools.cache
def _trusting(authority: Path | None) -> ssl.SSLContext:
    """Return the TLS settings that trust AUTHORITY or the system's CAs, which take 20 ms to read."""
    return ssl.create_default_context(cafile=str(authority) if authority else None)


class Client:
    """Asks URL, trusting the CA certificate file AUTHORITY if given, while entered; KEPT keeps its connection."""

    def __init__(self, url: str, authority: Path | None, *, kept: bool = False, timeout: float = 5.0) -> None:
        parts = urlsplit(url)
        self._headers = {"User-Agent": AGENT} | ({} if kept else {"Connection": "close"})
        self._kept = kept
        self._connection: http.client.HTTPConnection
        if parts.scheme == "http":
            self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=timeout)
        else:
            context, port = _trusting(authority), parts.port or 443
            self._connection = _Connection(str(parts.hostname), port, timeout=timeout, context=context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of PATH. Raises OSError, and Blocked where the web ACL answered."""
        well = False
        try:
            self._connection.request("GET", path, headers=self._headers)
            with self._connection.getresponse() as response:
                status, body = response.status, response.read(1 << 20).decode(errors="replace")
            well = True
        except (http.client.HTTPException, ValueError) as problem:  # ValueError: the path cannot be asked for
            raise OSError(f"no HTTP answer: {problem}") from None
        finally:
            if not (well and self._kept):
                self._connection.close()  # the next request opens another
        if web_acl.blocks(status, body):
            raise web_acl.Blocked
        return status, body


def ask(url: str, path: str, authority: Path | None, timeout: float = 5.0) -> tuple[int, str]:
    """Return status and body of URL + PATH, trusting the CA certificate file AUTHORITY if given. Raises OSError."""
    with Client(url, authority, timeout=timeout) as client:
        return client.get(path)


def blocked(url: str, authority: Path | None, path: str = "/") -> bool:
    """Return whether the web ACL blocks this machine, which asks for PATH, now."""
    try:
        ask(url, path, authority)
    except web_acl.Blocked:
        return True
    except OSError:
        return False
    return False


def _version(path: str, status: int, body: str) -> dict[str, Any]:
    if status != 200:
        raise OSError(f"{path} answered with status {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        raise OSError(f"{path} did not answer with JSON") from None
    return answer if isinstance(answer, dict) else {}


def _told(get: Get, wanted: Target | Release, asked: Asked) -> tuple[set[str], str]:
    """Return the pod that answered as WANTED, if it did, and what the answer was."""
    answer = _version(asked.version, *get(asked.version))
    right = (answer.get("digest"), answer.get("revision")) == (wanted.digest, wanted.revision)
    said = f"it answers with revision {answer.get('revision')}, digest {str(answer.get('digest'))[:19]}"
    return {str(answer.get("pod"))} if right else set(), said


def _crowd(get: Get, wanted: Target | Release, asked: Asked) -> bool:
    """Return whether CROWD requests at once are answered as WANTED.

    A load balancer keeps connections to pods. Each of those to an old pod that drains leads one more request to it, and
    requests one by one may all take the same connection: the others would lead the next one there, a smoke test's.
    """
    with ThreadPoolExecutor(CROWD) as pool:
        return all(pods for pods, _ in pool.map(lambda _: _told(get, wanted, asked), range(CROWD)))


def _seen(get: Get, api: Api | None, wanted: Target | Release, asked: Asked) -> tuple[set[str], str]:
    """Return the pods of WANTED behind the address, where that does not tell; it has to answer all the same."""
    _well(get, next(iter(asked.check), "/"))
    return behind(api, asked.service, wanted.digest) if api else {"it"}, ""


def _sick(get: Get, paths: Iterable[str]) -> str:
    """Return which of PATHS does not answer below 500, and how; an empty text where all do."""
    for path in paths:
        try:
            _well(get, path)
        except web_acl.Blocked:
            raise
        except OSError as problem:
            return f"{path} does not answer in time" if isinstance(problem, TimeoutError) else str(problem)
    return ""


def _well(get: Get, path: str) -> None:
    """Raise OSError unless PATH answers below 500."""
    status, _ = get(path)
    if status >= 500:
        raise OSError(f"{path} answered with status {status}")


def expected(replicas: Iterable[Iterable[str]], pods: set[str]) -> set[str]:
    """Return those of REPLICAS, the pods of each workload, whose workload is one of which PODS have answered."""
    return {pod for group in map(set, replicas) if group & pods for pod in group}


class _Row:
    """Right answers in a row from what is WANTED, by GET; ALONE says that nothing else can answer in between."""

    def __init__(self, get: Get, api: Api | None, wanted: Target | Release, asked: Asked, *, alone: bool) -> None:
        self._get, self._api, self._wanted, self._asked, self._alone = get, api, wanted, asked, alone
        self.pods: set[str] = set()
        self.unwell = 0.0  # since when a path to check has not answered well
        self.began = time.monotonic()
        self.begin("no answer yet")

    def begin(self, problem: str, longest: float = PAUSE) -> None:
        """Count anew because of PROBLEM, after a pause of LONGEST seconds at most."""
        self.since = time.monotonic()
        self._interrupt(problem, longest)

    def _interrupt(self, problem: str, longest: float = PAUSE) -> None:
        self.length, self.well, self.problem, self._longest = 0, 0, problem, longest

    @property
    def unfinished(self) -> bool:
        """Whether the next answer may be the last one that is needed."""
        return 0 < self.length < ANSWERS or self.well > 0

    @property
    def pause(self) -> float:
        """The seconds until the next request."""
        if self.length:
            return MEET_PAUSE if self.length > ANSWERS else 0.0
        return min(self._longest, (time.monotonic() - self.began) / 4)

    def complete(self, replicas: Callable[[], Iterable[Iterable[str]]]) -> bool:
        """Ask once more; return whether that was enough, and all of REPLICAS were met. Raises OSError and Blocked."""
        if self._asked.version:
            right, problem = _told(self._get, self._wanted, self._asked)
        else:
            right, problem = _seen(self._get, self._api, self._wanted, self._asked)
        if not right:
            self.begin(problem)
            return False
        self.pods |= right
        self.length += 1
        self.problem = f"{len(self.pods)} replicas have answered so far"
        tired = time.monotonic() - self.since > MEET
        return self.length >= ANSWERS and (tired or expected(replicas(), self.pods) <= self.pods) and self._holds()

    def _holds(self) -> bool:
        """Whether the paths to check are well, and nobody else answers."""
        if sick := _sick(self._get, self._asked.check):
            self.unwell = self.unwell or time.monotonic()
            self._interrupt(sick)
            return False
        self.well += 1
        if self._asked.check and self.well < ANSWERS:
            return False
        if self._alone or _crowd(self._get, self._wanted, self._asked):
            return True
        self._interrupt("another release answers as well", CROWD_PAUSE)
        return False


def until_answers(
    site: Site,
    wanted: Target | Release,
    *,
    deadline: float,
    pause: Callable[[float], None],
    say: Callable[[str], None],
    asked: Asked = ALWAYS,
    replicas: Callable[[], Iterable[Iterable[str]]] = tuple,
    client: Client | None = None,
    patience: float | None = None,
) -> set[str]:
    """Ask until ANSWERS in a row come from what is WANTED and all its replicas have answered; return the pods that did.

    ASKED says how that is told, and which paths have to be well then, ANSWERS times in a row as well: they get CHECKED
    seconds for it. A load balancer's kept connection still leads to an old pod that is draining, whose answer to a path
    does not say whose it is: between two there has to be a right answer, and one that is unwell begins all anew.
    REPLICAS gives the pods of each workload: no request reaches those of one from which nothing answers. A load
    balancer that reuses its connections may never lead to some replica, either: after MEET seconds of right answers
    that is no reason to roll back ready pods. Raises Unverified, with the last problem, after DEADLINE seconds,
    in which a row of right answers has to begin.

    Time in which the web ACL blocks this machine does not count, for PATIENCE seconds: a block by rate ends by then.
    Raises Unasked when it lasts longer.
    """
    patience = LASTS if patience is None else patience
    # A single pod that is asked is behind no Service.
    api = Api(site.cluster, site.runner) if asked.service and not asked.version else None
    get = client.get if client else functools.partial(ask, site.url, authority=site.authority)
    row = _Row(get, api, wanted, asked, alone=bool(client or not (asked.version and asked.service)))
    end = row.began + deadline
    while True:
        try:
            if row.complete(replicas):
                return row.pods
        except web_acl.Blocked as blocked:
            row.begin(str(blocked))
            if row.since > row.began + deadline + patience:
                raise Unasked(f"{row.problem}: {site.url}; what was applied stays") from None
            say(f"verifying {site.url}: {row.problem}")
            pause(min(web_acl.PAUSE, deadline))
            end = time.monotonic() + deadline
            continue
        except OSError as error:
            row.begin(SILENT if isinstance(error, TimeoutError) else str(error))
        # Right answers on a busy machine are slow; those in a row may become ANSWERS, each within its own timeout.
        late = time.monotonic() > (min(end, row.unwell + CHECKED) if row.unwell else end)
        if late and not row.unfinished:
            raise Unverified(f"{site.url} does not serve the release: {row.problem}")
        say(f"verifying {site.url}: {row.problem}")
        pause(row.pause)
