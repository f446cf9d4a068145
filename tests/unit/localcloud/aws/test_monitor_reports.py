"""What the local AWS does about alarms: messages, what is saved, and what it says of those it cannot evaluate."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.aws import metrics
from localcloud.aws.load_balancer import AccessLog
from tests.unit.localcloud.aws.alarms import BALANCER, NOW, ago, alarm, hosts, rate, states, work
from tests.unit.localcloud.aws.local_aws import REGION, LocalAws


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
