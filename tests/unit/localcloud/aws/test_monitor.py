"""Alarms in the local AWS itself: put by the API, evaluated as time goes by, seen by the API."""

from __future__ import annotations

import datetime
import json
from typing import Any

from moto.elbv2.models import elbv2_backends

from localcloud.aws import metrics
from tests.unit.localcloud.aws.alarms import BALANCER, DIMENSIONS, NOW, ago, alarm, hosts, rate, states, work
from tests.unit.localcloud.aws.local_aws import REGION, LocalAws


def test_a_new_alarm_has_no_data_yet(aws: LocalAws) -> None:
    alarm(aws)
    assert states(aws) == {"hosts": "INSUFFICIENT_DATA"}
    assert aws.own("GET", "health").json["alarms"] == {"hosts": "INSUFFICIENT_DATA"}


def test_an_alarm_fires_and_ends(aws: LocalAws) -> None:
    alarm(aws)
    hosts(1, 1)
    work(aws)
    assert states(aws) == {"hosts": "OK"}
    later = NOW + datetime.timedelta(minutes=2)
    hosts(0, 0, now=later)
    work(aws, later)
    (ringing,) = aws.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert ringing["StateReason"].startswith("Datapoints, oldest first: 1, 1, 0, 0 ")
    assert json.loads(ringing["StateReasonData"])["recentDatapoints"] == [1, 1, 0, 0]
    later += datetime.timedelta(minutes=1)
    hosts(1, now=later)
    work(aws, later)
    assert states(aws) == {"hosts": "OK"}


def test_the_minute_that_is_not_over_does_not_count(aws: LocalAws) -> None:
    alarm(aws)
    hosts(1, 1)
    metrics.put(REGION, "HealthyHostCount", 0, NOW, BALANCER)
    work(aws)
    assert states(aws) == {"hosts": "OK"}


def test_periods_before_the_start_are_unknown_and_not_missing(aws: LocalAws) -> None:
    alarm(aws)
    work(aws, since=ago(1))
    assert states(aws) == {"hosts": "INSUFFICIENT_DATA"}
    work(aws, since=ago(3))
    assert states(aws) == {"hosts": "ALARM"}


def test_an_alarm_about_targets_waits_for_the_first_one(aws: LocalAws, restart: Any) -> None:
    """Terraform creates it minutes before the node is up and the first release serves."""
    elb, ec2 = aws.client("elbv2"), aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    (made,) = elb.create_target_group(Name="app", Protocol="HTTP", Port=30080, VpcId=vpc)["TargetGroups"]
    dimension = {"Name": "TargetGroup", "Value": made["TargetGroupArn"].rpartition(":")[2]}
    alarm(aws, Dimensions=[*DIMENSIONS, dimension])
    work(aws)
    assert states(aws) == {"hosts": "INSUFFICIENT_DATA"}
    (group,) = elbv2_backends["123456789012"][REGION].target_groups.values()
    group.began = ago(1)
    work(aws)
    assert states(aws) == {"hosts": "INSUFFICIENT_DATA"}
    group.began = ago(3)
    aws.application.saver.save()
    again = restart()
    work(again)
    assert states(again) == {"hosts": "ALARM"}


def test_without_data_the_treatment_of_missing_data_decides_the_state(aws: LocalAws) -> None:
    for missing in ("missing", "notBreaching", "breaching", "ignore"):
        alarm(aws, missing, MetricName="DaysToExpiry", Namespace="AWS/CertificateManager", TreatMissingData=missing)
    work(aws, since=NOW)
    assert states(aws) == {
        "missing": "INSUFFICIENT_DATA",
        "notBreaching": "OK",
        "breaching": "ALARM",
        "ignore": "INSUFFICIENT_DATA",
    }


def test_metrics_put_by_users_are_evaluated_too(aws: LocalAws) -> None:
    alarm(
        aws,
        MetricName="Restarts",
        Namespace="Mine",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Dimensions=[],
        Statistic="Sum",
        TreatMissingData="notBreaching",
    )
    data = [{"MetricName": "Restarts", "Value": 2, "Timestamp": ago(1).replace(tzinfo=datetime.UTC)}]
    aws.client("cloudwatch").put_metric_data(Namespace="Mine", MetricData=data)
    work(aws)
    assert states(aws) == {"hosts": "ALARM"}


def test_a_percentile_is_compared(aws: LocalAws) -> None:
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="slow",
        Namespace="AWS/ApplicationELB",
        MetricName="TargetResponseTime",
        Dimensions=DIMENSIONS,
        Period=60,
        ExtendedStatistic="p95",
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1.5,
    )
    for value in [0.1] * 90 + [2.0] * 10:
        metrics.put(REGION, "TargetResponseTime", value, ago(1), BALANCER)
    work(aws)
    assert states(aws) == {"slow": "ALARM"}


def test_a_rate_of_errors_is_computed_and_compared(aws: LocalAws) -> None:
    rate(aws)
    for minute in (1, 3, 5):
        for _ in range(50):
            metrics.put(REGION, "RequestCount", 1, ago(minute), BALANCER)
        metrics.put(REGION, "HTTPCode_ELB_5XX_Count", 1, ago(minute), BALANCER)
        work(aws)
        assert states(aws) == {"rate": "ALARM" if minute == 5 else "OK"}


def test_a_rate_is_silent_where_one_of_its_metrics_is_missing_and_not_filled(aws: LocalAws) -> None:
    rate(aws, "100 * (elb + target) / requests")
    for minute in (1, 2, 3, 4, 5):
        for name in ("RequestCount", "HTTPCode_ELB_5XX_Count"):
            metrics.put(REGION, name, 1, ago(minute), BALANCER)
    work(aws)
    assert states(aws) == {"rate": "OK"}


def test_a_changed_alarm_keeps_its_state(aws: LocalAws) -> None:
    alarm(aws)
    work(aws)
    before = aws.client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    alarm(aws, Threshold=2)
    after = aws.client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    assert (before["StateValue"], after["StateValue"], after["Threshold"]) == ("ALARM", "ALARM", 2)
    assert after["StateReason"] == before["StateReason"]
