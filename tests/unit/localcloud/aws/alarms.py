"""Alarms as Terraform puts them, and the datapoints that they look at."""

from __future__ import annotations

import datetime
from typing import Any

from moto.core.utils import utcnow

from localcloud.aws import metrics
from tests.unit.localcloud.aws.local_aws import REGION, LocalAws

BALANCER = {"LoadBalancer": "app/shop/1"}
DIMENSIONS = [{"Name": "LoadBalancer", "Value": "app/shop/1"}]
NOW = utcnow().replace(second=1, microsecond=0)


def ago(minutes: float) -> datetime.datetime:
    return NOW - datetime.timedelta(minutes=minutes)


def work(aws: LocalAws, now: datetime.datetime = NOW, since: datetime.datetime | None = None) -> None:
    aws.application.monitor._since = since or ago(600)
    aws.application.monitor.work(now)


def alarm(aws: LocalAws, name: str = "hosts", **other: Any) -> None:
    aws.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": name,
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "HealthyHostCount",
            "Dimensions": DIMENSIONS,
            "Statistic": "Minimum",
            "Period": 60,
            "EvaluationPeriods": 2,
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": 1,
            "TreatMissingData": "breaching",
            **other,
        }
    )


def states(aws: LocalAws) -> dict[str, str]:
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}


def hosts(*values: float, now: datetime.datetime = NOW) -> None:
    """Put one datapoint for each of the last whole minutes, the oldest first."""
    for back, value in zip(range(len(values), 0, -1), values, strict=True):
        metrics.put(REGION, "HealthyHostCount", value, now - datetime.timedelta(minutes=back), BALANCER)


FILLED = "100 * (FILL(elb, 0) + FILL(target, 0)) / requests"


def rate(aws: LocalAws, expression: str = FILLED) -> None:
    """Put the alarm of terraform/monitoring.tf."""
    names = {"elb": "HTTPCode_ELB_5XX_Count", "target": "HTTPCode_Target_5XX_Count", "requests": "RequestCount"}
    queries = [
        {
            "Id": key,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": DIMENSIONS},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for key, name in names.items()
    ]
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="rate",
        EvaluationPeriods=5,
        DatapointsToAlarm=3,
        Threshold=1,
        TreatMissingData="notBreaching",
        ComparisonOperator="GreaterThanThreshold",
        Metrics=[{"Id": "rate", "Expression": expression, "Label": "5xx %", "ReturnData": True}, *queries],
    )
