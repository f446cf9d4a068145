"""The alarms of terraform/monitoring.tf ring when nothing serves, say so to their topic, and end once a release serves again.

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
def test_the_alarms_ring_while_no_pod_is_ready_and_end_after_a_deploy(project: Project) -> None:
    project.deploy()
    prefix = f"shop-{project.name}"
    cloudwatch, sns, sqs = (project.client(service) for service in ("cloudwatch", "sns", "sqs"))

    def states() -> dict[str, str]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
        return {one["AlarmName"].removeprefix(f"{prefix}-"): one["StateValue"] for one in found}

    def wait_for(wanted: dict[str, str], meanwhile: Callable[[], object] = lambda: None) -> None:
        began = time.monotonic()
        while any((found := states())[name] != state for name, state in wanted.items()):
            assert time.monotonic() - began < 420, (
                f"{found}, and not {wanted}, after {time.monotonic() - began:.0f} s"
            )
            meanwhile()
            time.sleep(1)
        print(f"{wanted} after {time.monotonic() - began:.0f} s")

    wait_for({"no-healthy-host": "OK", "alb-5xx": "OK"}, lambda: project.get("/"))
    # These have no source here, and what is missing is no breach.
    assert {states()[name] for name in ("pod-restarts", "certificate-expiry")} == {"OK"}

    (topic,) = [
        one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(f"{prefix}-alarms")
    ]
    queue = sqs.create_queue(QueueName="alarms-seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    try:
        project.kubectl("-n", "shop", "scale", "deployment/app", "--replicas=0")
        wait_for(
            {"no-healthy-host": "ALARM", "unhealthy-hosts": "ALARM", "alb-5xx": "ALARM"},
            lambda: project.get("/"),
        )
        assert project.get("/")[0] == 502
        ringing = project.invoke("status", "-e", project.name, "--json", check=False).data["alarms"]
        assert {"no-healthy-host", "unhealthy-hosts", "alb-5xx"} <= set(ringing)
        project.deploy()
        wait_for(
            {"no-healthy-host": "OK", "unhealthy-hosts": "OK", "alb-5xx": "OK"}, lambda: project.get("/")
        )
        said = [(one["AlarmName"], one["NewStateValue"]) for one in messages(sqs, queue)]
        for name in ("no-healthy-host", "unhealthy-hosts", "alb-5xx"):
            assert [state for alarm, state in said if alarm == f"{prefix}-{name}"] == ["ALARM", "OK"]
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=queue)
    project.invoke("infra.drift", "-e", project.name)  # ends with 0: to Terraform nothing has changed


def messages(sqs: Any, queue: str) -> list[dict[str, Any]]:
    """Return what the topic was told, in order."""
    found = []
    while received := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for one in received:
            found.append(json.loads(json.loads(one["Body"])["Message"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
    return sorted(found, key=lambda message: str(message["StateChangeTime"]))
