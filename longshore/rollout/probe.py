"""An open-loop probe of an address: a fixed rate whatever the answers, no retries, every failure classified."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import Counter, deque
from typing import Any
from urllib.parse import urlsplit

import h11

from longshore import AGENT
from longshore.rollout import web_acl

TIMEOUT = 10.0  # seconds for one request, connecting included
EXAMPLES = 20  # failures that are reported in full
SAMPLES = 200_000  # latencies that are remembered
SLOW_SHARE = 20  # one request in so many goes to the slow path, where there is one
HEAD = 1 << 16  # bytes of an answer's headers
# The first that fits counts.
CLASSES = {"refused": ConnectionRefusedError, "timeout": TimeoutError, "tls": ssl.SSLError, "reset": ConnectionError}


class Probe:
    """Requests URL `rate` times a second, alternately on new and on kept-alive connections.

    Once the load balancer's web ACL blocks it, it sends no more: its requests would only prolong that.
    """

    def __init__(self, url: str, authority: str | None, rate: float, slow: str = "", drain: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        self.host = str(parts.hostname)
        local = f".{self.host}".endswith(".localhost")  # RFC 6761, whatever the resolver says
        self.address = "127.0.0.1" if local else self.host
        self.secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.path, self.slow, self.rate, self.drain = parts.path or "/", slow, rate, drain
        self._context = ssl.create_default_context(cafile=authority) if self.secure else None
        self._idle: deque[_Connection] = deque()
        self.sent = self.answered = self.blocked = 0
        self.failed: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []
        self.latencies: deque[float] = deque(maxlen=SAMPLES)
        # Seconds by which the loop fell behind its clock: if this is large, the figures are about this machine.
        self.late = 0.0
        self.began = time.monotonic()
        self.stopping = False

    async def run(self) -> None:
        """Send requests until `stopping` is set, then wait up to `drain` seconds for the answers still due."""
        tasks: set[asyncio.Task[None]] = set()
        self.began = time.monotonic()
        while not self.stopping:
            if self.blocked:
                await asyncio.sleep(0.1)
                continue
            due = self.began + self.sent / self.rate
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(min(pause, 0.1))
                continue
            self.late = max(self.late, -pause)
            task = asyncio.create_task(self._request(self.sent))
            self.sent += 1
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=self.drain)
        for connection in self._idle:
            connection.writer.transport.abort()
        await asyncio.sleep(0.05)  # until closing connections are closed

    async def _request(self, number: int) -> None:
        keep_alive = number % 2 == 1
        slow = bool(self.slow) and number % SLOW_SHARE == 0
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                status, page = await self._ask(self.slow if slow else self.path, keep_alive=keep_alive)
            if web_acl.blocks(status, page):
                self.answered += 1
                self.blocked += 1
                return
            problem = "" if status < 400 else f"{status // 100}xx"
            detail = str(status)
        except (OSError, ValueError, h11.ProtocolError) as error:
            problem, detail = classified(error), str(error) or repr(error)
        self.answered += 1
        if not problem:
            if not slow:
                self.latencies.append(time.monotonic() - began)
            return
        self.failed[problem] += 1
        if len(self.examples) < EXAMPLES:
            at = round(began - self.began, 2)
            self.examples.append({"at": at, "class": problem, "kept": keep_alive, "detail": detail[:200]})

    async def _ask(self, path: str, *, keep_alive: bool) -> tuple[int, str]:
        host = self.host if self.port in (80, 443) else f"{self.host}:{self.port}"
        then = "keep-alive" if keep_alive else "close"
        headers = [("Host", host), ("User-Agent", AGENT), ("Connection", then)]
        connection = await self._connection(keep_alive)
        try:
            answer = await connection.ask(h11.Request(method="GET", target=path, headers=headers))
        except BaseException:
            connection.writer.close()
            raise
        if connection.reusable():
            self._idle.append(connection)
        else:
            connection.writer.close()
        return answer

    async def _connection(self, keep_alive: bool) -> _Connection:
        while keep_alive and self._idle:
            connection = self._idle.popleft()
            if not connection.reader.at_eof():  # the server has not closed it yet, so a client may use it
                return connection
            connection.writer.close()
        name = self.host if self.secure else None
        streams = asyncio.open_connection(self.address, self.port, ssl=self._context, server_hostname=name)
        return _Connection(*await streams)

    def result(self) -> dict[str, Any]:
        """Return the figures so far. Latencies are those of good answers, in milliseconds."""
        ordered = sorted(self.latencies)
        return {
            "rate": self.rate,
            "seconds": round(time.monotonic() - self.began, 1),
            "sent": self.sent,
            "answered": self.answered,
            "failed": sum(self.failed.values()),
            "blocked": self.blocked,  # by the web ACL
            "classes": dict(self.failed),
            **{f"p{share}": percentile(ordered, share) for share in (50, 95, 99)},
            "late": round(self.late, 3),
            "examples": self.examples,
        }


class _Connection:
    """A connection with its state in HTTP, which decides where an answer ends and whether another may follow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)

    async def ask(self, request: h11.Request) -> tuple[int, str]:
        """Return the status of the complete answer, and the page of a 403. Raises OSError, h11.ProtocolError."""
        head, end = self._http.send(request), self._http.send(h11.EndOfMessage())
        self.writer.write((head or b"") + (end or b""))
        status, data, page = 0, b"-", b""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                if data:
                    raise
                raise ConnectionResetError("the server closed the connection in the middle of its answer") from None
            if event is h11.NEED_DATA:
                data = await self.reader.read(1 << 16)
                self._http.receive_data(data)
            elif isinstance(event, h11.Response):  # not a 1xx: those precede it
                status = event.status_code
            elif isinstance(event, h11.Data) and status == web_acl.FORBIDDEN and len(page) < web_acl.LONGEST:
                page += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, page.decode(errors="replace")

    def reusable(self) -> bool:
        """Return whether another request may follow on this connection, and prepare for it."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True


def classified(error: BaseException) -> str:
    """Return the class of a failure: refused, timeout, tls, reset or other."""
    return next((name for name, kind in CLASSES.items() if isinstance(error, kind)), "other")


def percentile(ordered: list[float], share: int) -> float | None:
    """Return the SHAREth percentile of ORDERED (seconds), in milliseconds; None without any."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share / 100) - 1)] * 1000, 1)
