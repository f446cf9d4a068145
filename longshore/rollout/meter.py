"""What pods answer: by the metrics that each of them counts, or else by asking it; both through the API server.

Each pod is asked a few times a second in any case, so that a service which nobody uses at night can be judged as well.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Self
from urllib.parse import urlsplit

from longshore.errors import Failure
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.rollout import compare
from longshore.rollout.compare import Stat
from longshore.rollout.relay import Way
from longshore.rollout.site import Site

RATE = 5.0  # requests a second that a pod is asked: too few to be a load
ASKED = 5  # pods that are asked
READ, READERS = 20, 8  # pods whose metrics are read, and how many of them at the same time
METRICS = "/metrics"


class Meter:
    """Counts what the pods answer that it was told of while entered, on PORT; not what QUIET paths are asked for."""

    def __init__(self, site: Site, api: Api, port: int, quiet: Iterable[str]) -> None:
        self._site, self._api, self._port, self._quiet = site, api, port, {*quiet, METRICS}
        self._path = urlsplit(site.url).path or "/"
        self._over = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._asked: dict[str, Stat] = {}  # by pod
        self._last: dict[str, compare.Tally] = {}
        self._counted: dict[str, compare.Tally] = {}
        self._pods: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._over.set()
        for thread in self._threads.values():
            thread.join(timeout=2.0)

    def read(self, pods: Iterable[str]) -> None:
        """Take what PODS have counted since they were first read, and ask them from now on."""
        if not self._port:
            return
        self._pods = tuple(pods)[:READ]
        for pod in self._pods:
            if pod not in self._threads and len(self._threads) < ASKED:
                self._threads[pod] = threading.Thread(target=self._ask, args=(pod,), daemon=True)
                self._threads[pod].start()
        with ThreadPoolExecutor(READERS) as readers:
            for pod, counted in zip(self._pods, readers.map(self._metrics, self._pods), strict=True):
                if counted is not None:
                    self._take(pod, counted)

    @property
    def counts(self) -> bool:
        """Whether the pods count themselves what they answer."""
        return bool(self._pods) and all(pod in self._counted for pod in self._pods)

    def tally(self, *, counted: bool) -> compare.Tally:
        """Return what the pods have COUNTED, or else what they answered when they were asked."""
        if counted:
            return compare.together(self._counted.values())
        return {f"GET {self._path}": compare.total(self._asked)}

    def _take(self, pod: str, counted: compare.Tally) -> None:
        last = self._last.get(pod)
        self._last[pod] = counted
        if last is None:
            self._counted[pod] = {}
            return
        more = compare.together([counted, last], -1)
        if any(stat.requests < 0 for stat in more.values()):
            more = dict(counted)  # it counts from 0 again
        self._counted[pod] = compare.together([self._counted[pod], more])

    def _metrics(self, pod: str) -> compare.Tally | None:
        with contextlib.suppress(*UNANSWERED, Failure), self._api.connection() as connection:
            status, body = Way.to(self._site, self._api, pod, self._port).ask(connection, METRICS)
            return compare.read(body.decode(errors="replace"), self._quiet) if status == 200 else None
        return None

    def _ask(self, pod: str) -> None:
        way = Way.to(self._site, self._api, pod, self._port)
        while not self._over.wait(1 / RATE):
            with contextlib.suppress(*UNANSWERED, Failure), self._api.connection() as connection:
                while not self._over.wait(1 / RATE):
                    began = time.monotonic()
                    status, _ = way.ask(connection, self._path)
                    stat = Stat.of(time.monotonic() - began, failed=status >= 500)
                    self._asked[pod] = self._asked.get(pod, Stat()).plus(stat)
