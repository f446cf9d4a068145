"""An open-loop probe of an HTTPS address: a fixed rate whatever the answers, nothing repeated, every failure classed."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import Counter, deque
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 10.0  # seconds for one request, its connection included
EXAMPLES = 20  # failures that are told in full
SAMPLES = 200_000  # latencies that are kept
SLOW_SHARE = 20  # every one in so many goes to the slow path, where there is one

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Probe:
    """Asks URL `rate` times a second: every second request on a connection of its own, the others on connections that are kept."""

    def __init__(
        self, url: str, authority: str | None, rate: float, slow: str = "", drain: float = TIMEOUT
    ) -> None:
        parts = urlsplit(url)
        self.host = str(parts.hostname)
        local = f".{self.host}".endswith(".localhost")  # RFC 6761, whatever the resolver says
        self.address = "127.0.0.1" if local else self.host
        self.secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.path, self.slow, self.rate, self.drain = parts.path or "/", slow, rate, drain
        self._context = ssl.create_default_context(cafile=authority) if self.secure else None
        self._kept: deque[Stream] = deque()
        self.sent = self.answered = 0
        self.failed: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []
        self.latencies: deque[float] = deque(maxlen=SAMPLES)
        self.late = 0.0  # seconds by which the loop fell behind its clock: where this is much, the figures are this machine's
        self.began = time.monotonic()
        self.stopping = False

    async def run(self) -> None:
        """Ask until `stopping` is set, then wait for the answers that are due, for `drain` seconds at most."""
        tasks: set[asyncio.Task[None]] = set()
        self.began = time.monotonic()
        while not self.stopping:
            due = self.began + self.sent / self.rate
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(min(pause, 0.1))
                continue
            self.late = max(self.late, -pause)
            task = asyncio.create_task(self._one(self.sent))
            self.sent += 1
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=self.drain)
        for _, writer in self._kept:
            writer.transport.abort()
        await asyncio.sleep(0.05)  # for what is closing to be closed

    async def _one(self, number: int) -> None:
        kept = number % 2 == 1
        slow = bool(self.slow) and number % SLOW_SHARE == 0
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                status = await self._ask(self.slow if slow else self.path, kept=kept)
            problem = "" if status < 400 else f"{status // 100}xx"
            detail = str(status)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            problem, detail = classed(error), str(error) or repr(error)
        self.answered += 1
        if not problem:
            if not slow:
                self.latencies.append(time.monotonic() - began)
            return
        self.failed[problem] += 1
        if len(self.examples) < EXAMPLES:
            at = round(began - self.began, 2)
            self.examples.append({"at": at, "class": problem, "kept": kept, "detail": detail[:200]})

    async def _ask(self, path: str, *, kept: bool) -> int:
        reader, writer = await self._open(kept)
        try:
            keep = "keep-alive" if kept else "close"
            host = self.host if self.port in (80, 443) else f"{self.host}:{self.port}"
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: longshore-probe\r\nConnection: {keep}\r\n\r\n".encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status = int(head.split(" ", 2)[1])
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            whole = await _body(reader, headers)
        except BaseException:
            writer.close()
            raise
        if kept and whole and headers.get("connection") != "close":
            self._kept.append((reader, writer))
        else:
            writer.close()
        return status

    async def _open(self, kept: bool) -> Stream:
        while kept and self._kept:
            reader, writer = self._kept.popleft()
            if not reader.at_eof():  # the other side has not said that it closed: a client may use it
                return reader, writer
            writer.close()
        name = self.host if self.secure else None
        return await asyncio.open_connection(self.address, self.port, ssl=self._context, server_hostname=name)

    def result(self) -> dict[str, Any]:
        """Return what was seen so far. Latencies are in milliseconds, of the answers that were good."""
        ordered = sorted(self.latencies)
        return {
            "rate": self.rate,
            "seconds": round(time.monotonic() - self.began, 1),
            "sent": self.sent,
            "answered": self.answered,
            "failed": sum(self.failed.values()),
            "classes": dict(self.failed),
            "p50": percentile(ordered, 50),
            "p95": percentile(ordered, 95),
            "p99": percentile(ordered, 99),
            "late": round(self.late, 3),
            "examples": self.examples,
        }


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bool:
    """Read the body to its end; return whether the connection can serve again."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
        return True
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
        return True
    while await reader.read(1 << 16):
        pass
    return False


def classed(error: BaseException) -> str:
    """Return the class of a failure: refused, reset, timeout, tls or other."""
    kinds: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
        ("refused", (ConnectionRefusedError,)),
        ("timeout", (TimeoutError,)),
        ("tls", (ssl.SSLError,)),
        ("reset", (ConnectionError, asyncio.IncompleteReadError)),
    )
    return next((name for name, types in kinds if isinstance(error, types)), "other")


def percentile(ordered: list[float], share: int) -> float | None:
    """Return the value in milliseconds below which SHARE of 100 of the ORDERED seconds lie."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share / 100) - 1)] * 1000, 1)
