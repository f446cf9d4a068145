"""What an Application Load Balancer counts: the edge's requests, from its access log, and the health of its targets, by asking.

Names and meanings are those of "CloudWatch metrics for your Application Load Balancer" in Elastic Load Balancing's user guide.
"""

from __future__ import annotations

import datetime
import http.client
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from moto.elbv2.models import elbv2_backends

from longshore.local.aws import metrics
from longshore.local.aws.options import ACCOUNT

LOG_LIMIT = 10 << 20  # bytes of the access log; a longer one is set aside as .1


class Request(msgspec.Struct):
    """A line of the access log. What the edge did not do for a request is empty or a dash."""

    time: datetime.datetime
    status: int
    upstream: str  # address that it was sent to
    listener: int = 0  # port
    target_seconds: str = ""  # until the target began to answer


class AccessLog:
    """Gives the requests since the last time that somebody looked. Those from before this process are nobody's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> list[Request]:
        """Return what is new, and keep the file from growing without bounds."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset if self._offset <= self._path.stat().st_size else 0)  # else begun anew
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._offset = file.tell() - len(text) + len(whole)
        if self._offset > LOG_LIMIT:
            shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.1"))
            os.truncate(self._path, 0)  # nginx appends, so that it goes on at the new end
            self._offset = 0
        return [msgspec.json.decode(line, type=Request) for line in whole.splitlines()]


class Forward(NamedTuple):
    """A listener that sends to a target group. The dimensions are the ends of both ARNs."""

    region: str
    port: int
    balancer: dict[str, str]
    both: dict[str, str]
    group: Any


def forwards() -> Iterator[Forward]:
    """Yield the listeners of all load balancers that forward by default."""
    for region, backend in dict.items(elbv2_backends[ACCOUNT]):
        for balancer in backend.load_balancers.values():
            alone = {"LoadBalancer": balancer.arn.partition(":loadbalancer/")[2]}
            for one in balancer.listeners.values():
                arn = str(one.default_actions[0].data.get("TargetGroupArn"))
                if arn in backend.target_groups:
                    both = {**alone, "TargetGroup": arn.rpartition(":")[2]}
                    yield Forward(region, int(one.port), alone, both, backend.target_groups[arn])


def count(to: Forward, requests: list[Request]) -> None:
    """Put the datapoints of REQUESTS that came to the listener. RequestCount leaves out those for which no target was chosen."""
    for one in requests:
        if one.listener != to.port:
            continue
        answered, failed = one.target_seconds not in ("", "-"), one.status >= 500
        values = {"RequestCount": 1.0} if one.upstream else {}
        if answered:
            values["TargetResponseTime"] = float(one.target_seconds)
        if failed:
            values["HTTPCode_Target_5XX_Count" if answered else "HTTPCode_ELB_5XX_Count"] = 1.0
        when = one.time.astimezone(datetime.UTC).replace(tzinfo=None)
        for name, value in values.items():
            for dimensions in (to.balancer, to.both):
                metrics.put(to.region, name, value, when, dimensions)


class Health:
    """What the health checks of one target group found. Its targets are one node here, and so have one health."""

    healthy: bool | None = None
    _against = 0  # answers in a row that speak against it
    _asked = -math.inf

    def look(self, group: Any, node: str) -> None:
        """Ask the target on NODE if it is time to."""
        if time.monotonic() - self._asked >= int(group.health_check_interval_seconds):
            self._asked = time.monotonic()
            self.heard(_passes(group, node), group)

    def heard(self, passed: bool, group: Any) -> None:
        """Take an answer in. The first one decides; later ones do when there are as many in a row as the thresholds say."""
        self._against = 0 if passed is self.healthy else self._against + 1
        enough = group.healthy_threshold_count if passed else group.unhealthy_threshold_count
        if self.healthy is None or self._against >= int(enough):
            self.healthy, self._against = passed, 0

    def count(self, to: Forward, when: metrics.Time) -> None:
        """Put the datapoints of how many targets are healthy and how many are not, once that is known."""
        for name, wanted in (("HealthyHostCount", True), ("UnHealthyHostCount", False)):
            if self.healthy is not None:
                value = len(to.group.targets) if self.healthy is wanted else 0
                metrics.put(to.region, name, value, when, to.both)


def _passes(group: Any, node: str) -> bool:
    port = group.port if group.health_check_port == "traffic-port" else group.health_check_port
    target = http.client.HTTPConnection(node, int(port), timeout=int(group.health_check_timeout_seconds))
    try:
        target.request("GET", group.health_check_path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
        return matches(target.getresponse().status, group.matcher["HttpCode"])
    except (OSError, http.client.HTTPException):
        return False
    finally:
        target.close()


def matches(status: int, matcher: str) -> bool:
    """Whether STATUS is one of MATCHER: "200", "200,204" or "200-299"."""
    ranges = [part.partition("-") for part in matcher.split(",")]
    return any(int(low) <= status <= int(high or low) for low, _, high in ranges)
