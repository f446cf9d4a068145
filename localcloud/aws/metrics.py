"""CloudWatch's datapoints: those of the load balancer, one a minute, next to those that users put.

Moto asks `Provider` for AWS's own metrics: they are in `GetMetricStatistics`, and never in a snapshot.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum, Statistics, cloudwatch_backends
from moto.core.common_models import CloudWatchMetricProvider

from localcloud.aws.options import ACCOUNT

NAMESPACE = "AWS/ApplicationELB"
EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC).replace(tzinfo=None)
RETENTION = datetime.timedelta(hours=3)
Time = datetime.datetime  # naive, in UTC, as in moto
Series = list[float | None]  # a value per period, or None where there is no datapoint


class Minute(MetricAggregatedDatum):
    """One metric in one minute, as counts by value: enough for percentiles, and bounded."""

    def __init__(self, region: str, name: str, dimensions: Mapping[str, str], start: Time) -> None:
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        super().__init__(NAMESPACE, name, math.inf, -math.inf, 0, 0, named, start)
        self.region, self.counts = region, Counter[float]()

    def add(self, value: float) -> None:
        """Count one more sample of VALUE."""
        self.counts[value] += 1
        self.min, self.max = min(self.min, value), max(self.max, value)
        self.sample_count, self.sum = self.sample_count + 1, self.sum + value


MINUTES: dict[tuple[Any, ...], Minute] = {}  # one per process, like moto's state


class Provider(CloudWatchMetricProvider):
    """Gives them to moto, which finds it as a subclass."""

    @staticmethod
    def get_cloudwatch_metrics(account_id: str, region: str) -> list[Any]:  # noqa: ARG004 (there is one account)
        return [minute for minute in MINUTES.values() if minute.region == region]


def put(region: str, name: str, value: float, when: Time, dimensions: Mapping[str, str]) -> None:
    """Count VALUE of the load balancer's metric NAME in the minute of WHEN."""
    start = when.replace(second=0, microsecond=0)
    key = (region, name, start, *dimensions.items())
    if key not in MINUTES:
        MINUTES[key] = Minute(region, name, dimensions, start)
    MINUTES[key].add(value)


def forget(now: Time) -> None:
    """Drop datapoints older than RETENTION."""
    for key in [key for key, minute in MINUTES.items() if minute.timestamp < now - RETENTION]:
        del MINUTES[key]


def periods(now: Time, period: int, count: int) -> list[Time]:
    """Return the starts of the last COUNT complete periods of PERIOD seconds, oldest first."""
    step = datetime.timedelta(seconds=period)
    end = now - (now - EPOCH) % step
    return [end - step * back for back in range(count, 0, -1)]


def series(region: str, metric: Any, stat: str, starts: list[Time], period: int) -> Series:
    """Return STAT of METRIC for the period at each of STARTS, or None where it has no datapoint."""
    wanted = {(dimension.name, dimension.value) for dimension in metric.dimensions}
    buckets: list[list[Any]] = [[] for _ in starts]
    put_by_users = cloudwatch_backends[ACCOUNT][region].metric_data
    for datum in (*put_by_users, *Provider.get_cloudwatch_metrics(ACCOUNT, region)):
        if (datum.namespace, datum.name) == (metric.namespace, metric.metric_name):
            at = int((datum.timestamp - starts[0]).total_seconds() // period)
            dimensions = {(dimension.name, dimension.value) for dimension in datum.dimensions}
            if 0 <= at < len(starts) and dimensions == wanted:
                buckets[at].append(datum)
    return [statistic(data, stat) if data else None for data in buckets]


def statistic(data: list[Any], stat: str) -> float | None:
    """Return Sum, Average, Minimum, Maximum, SampleCount or pNN of DATA."""
    if stat[0] == "p":
        counts = Counter[float]()
        for datum in data:
            counts.update(datum.counts if isinstance(datum, Minute) else {datum.value: 1})
        return percentile(counts, float(stat[1:]))
    several = Statistics([stat], data[0].timestamp)
    several.metric_data = data
    return several.get_statistics_for_type(stat)  # type: ignore[return-value]


def percentile(counts: Counter[float], rank: float) -> float:
    """Return the smallest value that at least RANK percent of the samples do not exceed (nearest rank)."""
    samples = sorted(counts.elements())
    return samples[max(0, math.ceil(rank * len(samples) / 100) - 1)]
