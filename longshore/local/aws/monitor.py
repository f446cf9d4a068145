"""The part of the local AWS that works by itself: every few seconds it counts what the edge did and evaluates the alarms."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow

from longshore.local.aws import cloudwatch, load_balancer, metrics
from longshore.local.aws.options import ACCOUNT, current

EVERY = 5.0  # seconds


class Monitor:
    """Works while `run` runs. LOCK is what every request holds, CHANGED is told when an alarm has another state."""

    def __init__(self, lock: threading.RLock, changed: Callable[[], None]) -> None:
        self._lock, self._changed, self._since = lock, changed, utcnow()
        log = current().real_cluster().get("access_log")
        self._log = load_balancer.AccessLog(Path(log)) if log else None
        self._health: dict[str, load_balancer.Health] = defaultdict(load_balancer.Health)
        self._said: set[str] = set()

    def run(self) -> None:
        """Work for ever; the body of a thread that ends with the process."""
        while True:
            time.sleep(EVERY)
            self.work(utcnow())

    def work(self, now: metrics.Time) -> None:
        """Count and evaluate once. Raises nothing."""
        with self._saying("the load balancer is not measured"):
            self._count(now)
        with self._lock:
            for backend in dict.values(cloudwatch_backends[ACCOUNT]):
                for alarm in [
                    one for one in backend.alarms.values() if one.rule is None
                ]:  # not of other alarms
                    with self._saying(f"alarm {alarm.name} is not evaluated"):
                        if cloudwatch.evaluate(backend, alarm, now, self._since):
                            self._changed()

    @contextmanager
    def _saying(self, failure: str) -> Iterator[None]:
        """Say once what goes wrong, and go on: the server is not to end by what it does beside serving."""
        try:
            yield
        except Exception as problem:  # noqa: BLE001 (whatever it is)
            said = f"{failure}: {type(problem).__name__}: {problem}"
            if said not in self._said:
                print(said, file=sys.stderr, flush=True)
            self._said.add(said)

    def _count(self, now: metrics.Time) -> None:
        node = current().real_cluster().get("node")
        requests = self._log.read() if self._log else []
        with self._lock:
            metrics.forget(now)
            found = list(load_balancer.forwards())
        for to in found:
            health = self._health[to.group.arn]
            if node:
                health.look(to.group, node)  # without the lock: it may take seconds
            with self._lock:
                load_balancer.count(to, requests)
                health.count(to, now)
