"""The alarms of terraform/monitoring.tf go off when nothing serves, notify their topic, and clear after a release.

About ten minutes of waiting: the alarms count whole minutes, two or three of them in a row, or three of five.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.project import Project


@pytest.mark.slow
def test_the_alarms_go_off_while_no_pod_is_ready_and_clear_after_a_deploy(project: Project) -> None:
    project.deploy()
    prefix = f"shop-{project.name}"
    cloudwatch, sns, sqs = (project.client(service) for service in ("cloudwatch", "sns", "sqs"))

    def states() -> dict[str, str]:
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
        return {alarm["AlarmName"].removeprefix(f"{prefix}-"): alarm["StateValue"] for alarm in alarms}

    def wait_for(wanted: dict[str, str], meanwhile: Callable[[], object] = lambda: None) -> None:
        began = time.monotonic()
        while any((now := states())[name] != state for name, state in wanted.items()):
            assert time.monotonic() - began < 420, f"{now}, not {wanted}, after {time.monotonic() - began:.0f} s"
            meanwhile()
            time.sleep(1)
        print(f"{wanted} after {time.monotonic() - began:.0f} s")

    wait_for({"no-healthy-host": "OK", "alb-5xx": "OK"}, lambda: project.get("/"))
    # These get no data here, and missing data is no breach.
    assert {states()[name] for name in ("pod-restarts", "certificate-expiry")} == {"OK"}

    topics = [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
    (topic,) = [arn for arn in topics if arn.endswith(f"{prefix}-alarms")]
    queue = sqs.create_queue(QueueName="alarms-seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    try:
        project.kubectl("-n", "shop", "scale", "deployment/app", "--replicas=0")
        wait_for({"no-healthy-host": "ALARM", "unhealthy-hosts": "ALARM", "alb-5xx": "ALARM"}, lambda: project.get("/"))
        assert project.get("/")[0] == 502
        ringing = project.invoke("status", "-e", project.name, "--json", check=False).data["alarms"]
        assert {"no-healthy-host", "unhealthy-hosts", "alb-5xx"} <= set(ringing)
        project.deploy()
        wait_for({"no-healthy-host": "OK", "unhealthy-hosts": "OK", "alb-5xx": "OK"}, lambda: project.get("/"))
        changes = [(message["AlarmName"], message["NewStateValue"]) for message in messages(sqs, queue)]
        for name in ("no-healthy-host", "unhealthy-hosts", "alb-5xx"):
            assert [state for alarm, state in changes if alarm == f"{prefix}-{name}"] == ["ALARM", "OK"]
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=queue)
    project.invoke("infra.drift", "-e", project.name)  # exit code 0: for Terraform nothing has changed


def messages(sqs: Any, queue: str) -> list[dict[str, Any]]:
    """Return what the topic received, oldest first."""
    messages = []
    while received := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            messages.append(json.loads(json.loads(message["Body"])["Message"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return sorted(messages, key=lambda message: str(message["StateChangeTime"]))
