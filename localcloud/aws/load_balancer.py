"""What an Application Load Balancer measures: requests, from the edge's access log, and the health of its targets.

The metrics are those of "CloudWatch metrics for your Application Load Balancer" in Elastic Load Balancing's user guide.
"""

from __future__ import annotations

import datetime
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from moto.core.utils import utcnow
from moto.elbv2.models import elbv2_backends

from localcloud.aws import metrics
from localcloud.aws.options import ACCOUNT
from localcloud.ports import http_status

LOG_LIMIT = 10 << 20  # bytes after which the access log is moved to .1


class Request(msgspec.Struct):
    """A line of the access log. A value that does not apply to the request is empty or a dash."""

    time: datetime.datetime
    status: int
    upstream: str  # address of the target
    listener: int = 0  # port
    target_seconds: str = ""  # until the target's response headers


class AccessLog:
    """Reads the requests that are new since the last read. Those from before this process do not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> list[Request]:
        """Return the new requests, and rotate a long file."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset if self._offset <= self._path.stat().st_size else 0)  # truncated: start over
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._offset = file.tell() - len(text) + len(whole)
        if self._offset > LOG_LIMIT:
            shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.1"))
            os.truncate(self._path, 0)  # nginx appends, so it continues at the new end
            self._offset = 0
        return [msgspec.json.decode(line, type=Request) for line in whole.splitlines()]


class Forward(NamedTuple):
    """A listener that forwards to a target group. The dimensions are the last parts of both ARNs."""

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
            for listener in balancer.listeners.values():
                arn = str(listener.default_actions[0].data.get("TargetGroupArn"))
                if arn in backend.target_groups:
                    both = {**alone, "TargetGroup": arn.rpartition(":")[2]}
                    yield Forward(region, int(listener.port), alone, both, backend.target_groups[arn])


def count(forward: Forward, requests: list[Request]) -> None:
    """Put the datapoints of the listener's REQUESTS. RequestCount leaves out those for which no target was chosen."""
    for request in requests:
        if request.listener != forward.port:
            continue
        elsewhere = request.upstream and not request.upstream.endswith(
            f":{forward.group.port}"
        )  # by a rule for its host
        answered, failed = request.target_seconds not in ("", "-"), request.status >= 500
        values = {"RequestCount": 1.0} if request.upstream else {}
        if answered:
            values["TargetResponseTime"] = float(request.target_seconds)
        if failed:
            values["HTTPCode_Target_5XX_Count" if answered else "HTTPCode_ELB_5XX_Count"] = 1.0
        when = request.time.astimezone(datetime.UTC).replace(tzinfo=None)
        for name, value in values.items():
            for dimensions in (forward.balancer, *(() if elsewhere else (forward.both,))):
                metrics.put(forward.region, name, value, when, dimensions)


class Health:
    """The health of a target group on one node. If there is but one, all targets are that one here, and share it."""

    healthy: bool | None = None
    _contrary = 0  # consecutive results that contradict it
    _checked = -math.inf  # monotonic time of the last check

    def check(self, group: Any, node: str) -> bool:
        """Check the target on NODE if the interval is over. Return whether it answered for the first time ever."""
        if time.monotonic() - self._checked < int(group.health_check_interval_seconds):
            return False
        self._checked = time.monotonic()
        status = _status(group, node)
        self.record(matches(status, group.matcher["HttpCode"]), group)
        first = bool(status) and began(group) is None
        if first:
            group.began = utcnow()  # moto's own object: the next process knows it from the snapshot
        return first

    def record(self, passed: bool, group: Any) -> None:
        """Record a result. The first one decides; later ones once there are as many in a row as the threshold says."""
        self._contrary = 0 if passed is self.healthy else self._contrary + 1
        threshold = group.healthy_threshold_count if passed else group.unhealthy_threshold_count
        if self.healthy is None or self._contrary >= int(threshold):
            self.healthy, self._contrary = passed, 0

    def tell(self, file: Path) -> None:
        """Have FILE while it is unhealthy."""
        if self.healthy is False:
            file.touch()
        else:
            file.unlink(missing_ok=True)


def count_hosts(forward: Forward, nodes: Sequence[Health], when: metrics.Time) -> None:
    """Put the datapoints of how many targets on NODES are healthy and unhealthy, once that is known."""
    each = len(forward.group.targets) if len(nodes) == 1 else 1
    for name, wanted in (("HealthyHostCount", True), ("UnHealthyHostCount", False)):
        if any(node.healthy is not None for node in nodes) and forward.group.targets and began(forward.group):
            value = each * sum(node.healthy is wanted for node in nodes)
            metrics.put(forward.region, name, value, when, forward.both)


def began(group: Any) -> metrics.Time | None:
    """Return when a target of GROUP answered for the first time, or None.

    In AWS a target is registered when its machine has started; here Terraform registers the node's stand-in long before
    there is a node. Until one answers, nothing is known of the group's targets.
    """
    return getattr(group, "began", None)


def unknown(region: str, dimensions: Iterable[Any], start: metrics.Time) -> bool:
    """Whether DIMENSIONS name a target group of which nothing was known yet at START."""
    named = {dimension.value for dimension in dimensions if dimension.name == "TargetGroup"}
    groups = elbv2_backends[ACCOUNT][region].target_groups
    return any(
        (since := began(group)) is None or since > start
        for arn, group in groups.items()
        if arn.rpartition(":")[2] in named
    )


def _status(group: Any, node: str) -> int:
    """Return the HTTP status with which the target answers the health check, or 0 if it does not."""
    port = group.port if group.health_check_port == "traffic-port" else group.health_check_port
    if not str(port).isdigit():  # moto takes any text
        return 0
    headers, timeout = {"User-Agent": "ELB-HealthChecker/2.0"}, int(group.health_check_timeout_seconds)
    return http_status(f"{node}:{port}", group.health_check_path, headers=headers, timeout=timeout)


def matches(status: int, matcher: str) -> bool:
    """Whether STATUS is in MATCHER: "200", "200,204" or "200-299"."""
    ranges = [part.partition("-") for part in matcher.split(",")]
    return any(int(low) <= status <= int(high or low) for low, _, high in ranges)
