"""From the edge's log to metrics, from metrics to alarms, from alarms to messages, in the local AWS alone."""

from __future__ import annotations

import datetime
import http.server
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess
from tests.integration.balancers import LISTENER, balance


@pytest.fixture
def target() -> Iterator[int]:
    """Run a healthy target and return its port."""

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "edge-access.log"


@pytest.fixture
def aws(tmp_path: Path, log: Path) -> Iterator[AwsProcess]:
    process = AwsProcess(tmp_path / "state")
    process.folder.mkdir()
    process.cluster_file.write_text(json.dumps({"node": "127.0.0.1", "access_log": str(log)}))
    process.start()
    yield process
    if process.process:
        process.end(kill=True)


def expression() -> str:
    """Return that of the alarm in terraform/monitoring.tf."""
    text = (ROOT / "terraform" / "monitoring.tf").read_text()
    (found,) = re.findall(r'^ +expression += "(.*)"$', text, re.MULTILINE)
    return str(found)


def put_alarm(aws: AwsProcess, balancer: str, topic: str) -> None:
    """Put the alarm of terraform/monitoring.tf, but let it go off after one minute."""
    names = {"elb": "HTTPCode_ELB_5XX_Count", "target": "HTTPCode_Target_5XX_Count", "requests": "RequestCount"}
    queries = [
        {
            "Id": key,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ApplicationELB",
                    "MetricName": name,
                    "Dimensions": [{"Name": "LoadBalancer", "Value": balancer}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for key, name in names.items()
    ]
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="alb-5xx",
        EvaluationPeriods=1,
        Threshold=1,
        TreatMissingData="notBreaching",
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
        OKActions=[topic],
        Metrics=[{"Id": "rate", "Expression": expression(), "ReturnData": True}, *queries],
    )


def serve(log: Path, when: datetime.datetime, status: int, times: int) -> None:
    """Log a request as the edge does if no target answers (502), or if one does."""
    seconds = "-" if status == 502 else "0.012"
    line = {
        "time": when.isoformat(timespec="seconds"),
        "listener": LISTENER,
        "path": "/",
        "status": status,
        "upstream": "127.0.0.1:30080",
        "target_seconds": seconds,
    }
    with log.open("a") as file:
        file.write((json.dumps(line) + "\n") * times)


def wait_for(wanted: object, look: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while (value := look()) != wanted:
        assert time.monotonic() < deadline, f"{value!r} is not {wanted!r} after {seconds:g} s"
        time.sleep(0.2)


def test_an_alarm_rings_notifies_its_topic_survives_a_kill_and_ends(aws: AwsProcess, log: Path, target: int) -> None:
    balancer, group = balance(aws, target)
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="seen")["QueueUrl"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen")
    put_alarm(aws, balancer, topic)

    def alarm() -> dict[str, Any]:
        (described,) = aws.client("cloudwatch").describe_alarms(AlarmNames=["alb-5xx"])["MetricAlarms"]
        return described  # type: ignore[no-any-return]

    def state() -> Any:
        return alarm()["StateValue"]

    def healthy_hosts() -> list[float]:
        statistics = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="HealthyHostCount",
            Period=600,
            Statistics=["Minimum"],
            StartTime=datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=2),
            EndTime=datetime.datetime.now(datetime.UTC),
            Dimensions=[{"Name": "LoadBalancer", "Value": balancer}, {"Name": "TargetGroup", "Value": group}],
        )
        return [point["Minimum"] for point in statistics["Datapoints"]]

    assert state() == "INSUFFICIENT_DATA"
    a_minute_ago = datetime.datetime.now().astimezone() - datetime.timedelta(minutes=1)
    serve(log, a_minute_ago, 502, 1)
    serve(log, a_minute_ago, 200, 9)
    wait_for("ALARM", state)
    rung = alarm()["StateUpdatedTimestamp"].timestamp()
    wait_for([1.0], healthy_hosts)
    wait_for(True, lambda: (aws.ask("/_local/health")["saved_at"] or 0) > rung)
    aws.end(kill=True)
    aws.start()
    assert state() == "ALARM"
    serve(log, a_minute_ago, 502, 1)
    serve(log, a_minute_ago, 200, 999)
    wait_for("OK", state)

    received = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    messages = [json.loads(json.loads(message["Body"])["Message"]) for message in received]
    assert [(message["AlarmName"], message["NewStateValue"]) for message in messages] == [
        ("alb-5xx", "ALARM"),
        ("alb-5xx", "OK"),
    ]
    assert "Traceback" not in aws.errors.read_text()


def test_monitoring_saves_no_snapshot_and_uses_almost_no_cpu(aws: AwsProcess, log: Path, target: int) -> None:
    balance(aws, target)
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="hosts",
        Namespace="AWS/ApplicationELB",
        MetricName="HealthyHostCount",
        Dimensions=[],
        Statistic="Minimum",
        Period=60,
        EvaluationPeriods=5,
        ComparisonOperator="LessThanThreshold",
        Threshold=1,
    )
    time.sleep(6)  # the first round: that the target answers is remembered
    aws.ask("/_local/save", "POST")
    saved = aws.ask("/_local/health")["saved_at"]
    assert aws.process
    before, began = cpu_seconds(aws.process.pid), time.monotonic()
    time.sleep(15.5)  # three rounds
    share = (cpu_seconds(aws.process.pid) - before) / (time.monotonic() - began)
    print(f"idle: {share:.2%} of a core")
    assert aws.ask("/_local/health")["saved_at"] == saved
    assert share < 0.02


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
