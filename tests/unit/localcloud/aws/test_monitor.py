"""Alarms in the local AWS itself: put by the API, evaluated as time goes by, seen by the API."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow
from moto.elbv2.models import elbv2_backends

from localcloud.aws import metrics
from localcloud.aws.load_balancer import AccessLog
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


def messages(aws: LocalAws, queue: str) -> list[dict[str, Any]]:
    received = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(json.loads(message["Body"])["Message"]) for message in received]


def test_the_actions_of_the_new_state_get_a_message(aws: LocalAws) -> None:
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="seen")["QueueUrl"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:123456789012:seen")
    alarm(aws, AlarmActions=[topic])
    work(aws)
    work(aws)  # nothing changed
    (message,) = messages(aws, queue)
    assert [message[key] for key in ("AlarmName", "OldStateValue", "NewStateValue")] == [
        "hosts",
        "INSUFFICIENT_DATA",
        "ALARM",
    ]
    hosts(1, 1)
    work(aws)
    assert states(aws) == {"hosts": "OK"}
    assert messages(aws, queue) == []  # it has no action for OK
    aws.client("cloudwatch").disable_alarm_actions(AlarmNames=["hosts"])
    aws.client("cloudwatch").set_alarm_state(AlarmName="hosts", StateValue="ALARM", StateReason="by hand")
    assert messages(aws, queue) == []
    aws.client("cloudwatch").enable_alarm_actions(AlarmNames=["hosts"])
    aws.client("cloudwatch").set_alarm_state(AlarmName="hosts", StateValue="OK", StateReason="by hand")
    aws.client("cloudwatch").set_alarm_state(AlarmName="hosts", StateValue="ALARM", StateReason="by hand")
    assert [message["NewStateReason"] for message in messages(aws, queue)] == ["by hand"]


def test_an_action_that_no_longer_exists_is_ignored(aws: LocalAws) -> None:
    alarm(aws, AlarmActions=[f"arn:aws:sns:{REGION}:123456789012:gone"])
    work(aws)
    assert states(aws) == {"hosts": "ALARM"}


def test_only_a_change_of_state_is_saved(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = []
    alarm(aws)
    monkeypatch.setattr(aws.application.monitor, "_changed", lambda: changes.append(1))
    for turn in range(5):
        work(aws, NOW + datetime.timedelta(seconds=turn))
    assert changes == [1]


def test_what_cannot_be_evaluated_is_reported_once_and_the_rest_is_evaluated(
    aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    rate(aws, "ANOMALY_DETECTION_BAND(elb)")
    alarm(aws)
    metrics.put(REGION, "HTTPCode_ELB_5XX_Count", 1, ago(1), BALANCER)
    work(aws)
    work(aws)
    assert states(aws) == {"rate": "INSUFFICIENT_DATA", "hosts": "ALARM"}
    reason = "the local AWS cannot compute `ANOMALY_DETECTION_BAND(elb)` of metric math"
    assert capsys.readouterr().err == f"cannot evaluate alarm rate: ValueError: {reason}\n"


def test_an_unreadable_log_is_reported_once_and_alarms_are_evaluated(
    aws: LocalAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alarm(aws)
    aws.application.monitor._log = AccessLog(tmp_path)
    work(aws)
    work(aws)
    assert states(aws) == {"hosts": "ALARM"}
    assert capsys.readouterr().err.startswith("cannot measure the load balancer: IsADirectoryError: ")


def test_states_outlive_a_restart_and_datapoints_are_in_no_snapshot(aws: LocalAws, restart: Any) -> None:
    alarm(aws)
    hosts(0, 0)
    work(aws)
    aws.application.saver.save()
    assert b"localcloud.aws.metrics" not in (aws.folder / "snapshot").read_bytes()
    again = restart()
    assert states(again) == {"hosts": "ALARM"}
    assert len(cloudwatch_backends["123456789012"][REGION].alarms["hosts"].history) == 1
