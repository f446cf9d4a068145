"""The background work of the local AWS: every few seconds it counts the edge's requests and evaluates the alarms."""

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

from localcloud.aws import cloudwatch, load_balancer, metrics
from localcloud.aws.options import ACCOUNT, current

INTERVAL = 5.0  # seconds


class Monitor:
    """Measures the load balancer and evaluates alarms. Every request holds LOCK; a new state is reported by CHANGED."""

    def __init__(self, lock: threading.RLock, changed: Callable[[], None]) -> None:
        self._lock, self._changed, self._since = lock, changed, utcnow()
        log = current().real_cluster().get("access_log")
        self._log = load_balancer.AccessLog(Path(log)) if log else None
        # By target group and node.
        self._health: dict[tuple[str, str], load_balancer.Health] = defaultdict(load_balancer.Health)
        self._reported: set[str] = set()

    def run(self) -> None:
        """Work forever; runs in a daemon thread."""
        while True:
            time.sleep(INTERVAL)
            self.work(utcnow())

    def work(self, now: metrics.Time) -> None:
        """Count and evaluate once. Never raises."""
        with self._reporting("cannot measure the load balancer"):
            self._count(now)
        with self._lock:
            for backend in dict.values(cloudwatch_backends[ACCOUNT]):
                for alarm in [alarm for alarm in backend.alarms.values() if alarm.rule is None]:  # not composite alarms
                    with self._reporting(f"cannot evaluate alarm {alarm.name}"):
                        if cloudwatch.evaluate(backend, alarm, now, self._since):
                            self._changed()

    @contextmanager
    def _reporting(self, failure: str) -> Iterator[None]:
        """Report each problem once and go on: background work must not end the server."""
        try:
            yield
        except Exception as problem:  # noqa: BLE001 (whatever it is)
            sentence = f"{failure}: {type(problem).__name__}: {problem}"
            if sentence not in self._reported:
                print(sentence, file=sys.stderr, flush=True)
            self._reported.add(sentence)

    def _count(self, now: metrics.Time) -> None:
        real = current().real_cluster()
        nodes = real.get("nodes") or ([real["node"]] if "node" in real else [])
        requests = self._log.read() if self._log else []
        with self._lock:
            metrics.forget(now)
            forwards = list(load_balancer.forwards())
        for forward in forwards:
            targets = {node: self._health[forward.group.arn, node] for node in nodes}
            for number, (node, health) in enumerate(targets.items(), 1):
                if health.check(forward.group, node):  # without the lock: it may take seconds
                    self._changed()
                if "unhealthy" in real:
                    health.tell(Path(real["unhealthy"], f"{forward.group.port}-{number}"))
            with self._lock:
                load_balancer.count(forward, requests)
                load_balancer.count_hosts(forward, list(targets.values()), now)
