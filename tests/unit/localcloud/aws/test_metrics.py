from __future__ import annotations

import datetime
from collections import Counter
from types import SimpleNamespace

import pytest
from moto.cloudwatch.models import Dimension

from localcloud.aws import metrics
from tests.unit.localcloud.aws.local_aws import REGION, LocalAws

NOON = datetime.datetime.fromisoformat("2026-01-01T12:00:00")
BALANCER = {"LoadBalancer": "app/shop/1"}


def at(seconds: float) -> datetime.datetime:
    return NOON + datetime.timedelta(seconds=seconds)


def series(name: str, stat: str, count: int = 1, period: int = 60) -> list[float | None]:
    dimensions = [Dimension(key, value) for key, value in BALANCER.items()]
    metric = SimpleNamespace(namespace="AWS/ApplicationELB", metric_name=name, dimensions=dimensions)
    starts = [at(period * turn) for turn in range(count)]
    return metrics.series(REGION, metric, stat, starts, period)


@pytest.mark.parametrize(
    ("stat", "value"),
    [
        ("Sum", 10),
        ("Average", 2.5),
        ("Minimum", 1),
        ("Maximum", 4),
        ("SampleCount", 4),
        ("p50", 2),
        ("p95", 4),
        ("p0", 1),
    ],
)
def test_each_statistic(aws: LocalAws, stat: str, value: float) -> None:
    for number in (4, 2, 1, 3):
        metrics.put(REGION, "TargetResponseTime", number, at(number), BALANCER)
    assert series("TargetResponseTime", stat) == [value]


def test_a_percentile_is_the_nearest_rank() -> None:
    hundred = Counter({float(value): 1 for value in range(1, 101)})
    assert metrics.percentile(hundred, 95) == 95
    assert metrics.percentile(hundred, 99.9) == 100
    assert metrics.percentile(Counter({0.1: 94, 9.0: 6}), 95) == 9.0
    assert metrics.percentile(Counter({0.1: 95, 9.0: 5}), 95) == 0.1


def test_periods_are_apart_and_may_be_longer_than_a_minute(aws: LocalAws) -> None:
    for second in (0, 59, 60, 180):
        metrics.put(REGION, "RequestCount", 1, at(second), BALANCER)
    assert series("RequestCount", "Sum", count=4) == [2, 1, None, 1]
    assert series("RequestCount", "Sum", count=2, period=120) == [3, 1]


def test_dimensions_are_the_whole_of_them(aws: LocalAws) -> None:
    metrics.put(REGION, "RequestCount", 1, at(0), {**BALANCER, "TargetGroup": "targetgroup/app/1"})
    metrics.put(REGION, "RequestCount", 1, at(0), {"LoadBalancer": "app/other/2"})
    assert series("RequestCount", "Sum") == [None]


def test_what_is_older_than_three_hours_is_forgotten(aws: LocalAws) -> None:
    for hour in range(5):
        metrics.put(REGION, "RequestCount", 1, at(3600 * hour), BALANCER)
    metrics.forget(at(3600 * 4))
    assert [minute.timestamp for minute in metrics.MINUTES.values()] == [at(3600 * hour) for hour in (1, 2, 3, 4)]


def test_ten_thousand_requests_of_one_minute_are_one_datapoint(aws: LocalAws) -> None:
    for turn in range(10_000):
        metrics.put(REGION, "TargetResponseTime", turn % 100 / 1000, at(0), BALANCER)
    (minute,) = metrics.MINUTES.values()
    assert len(minute.counts) == 100
    assert series("TargetResponseTime", "p95") == [0.094]


def test_periods_end_where_their_length_divides_the_clock() -> None:
    assert metrics.periods(at(150), 60, 2) == [at(0), at(60)]
    assert metrics.periods(at(120), 60, 2) == [at(0), at(60)]
    assert metrics.periods(at(299), 300, 1) == [at(-300)]


def test_the_api_answers_with_the_load_balancers_metrics(aws: LocalAws) -> None:
    metrics.put(REGION, "RequestCount", 1, at(5), BALANCER)
    metrics.put(REGION, "RequestCount", 1, at(6), BALANCER)
    statistics = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        StartTime=at(0),
        EndTime=at(60),
        Period=60,
        Statistics=["Sum"],
        Dimensions=[{"Name": "LoadBalancer", "Value": "app/shop/1"}],
    )
    assert [point["Sum"] for point in statistics["Datapoints"]] == [2.0]
