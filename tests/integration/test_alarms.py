"""The local AWS by itself: what stands in the edge's log becomes metrics, metrics become alarms, alarms become messages."""

from __future__ import annotations

import datetime
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.aws_process import ACCOUNT, REGION, AwsProcess

LISTENER = 8443


@pytest.fixture
def target() -> Iterator[int]:
    """A target that is healthy; its port."""

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
    one = AwsProcess(tmp_path / "state")
    one.folder.mkdir()
    one.cluster_file.write_text(json.dumps({"node": "127.0.0.1", "access_log": str(log)}))
    one.start()
    yield one
    if one.process:
        one.end(kill=True)


def balance(aws: AwsProcess, target: int) -> tuple[str, str]:
    """Make a load balancer that sends to TARGET; return the dimensions of its metrics."""
    ec2, balancing = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for index, zone in enumerate("ab")
    ]  # fmt: skip
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    node = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])["Instances"][0]
    (balancer,) = balancing.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"]
    (group,) = balancing.create_target_group(
        Name="shop-app", Protocol="HTTP", Port=target, VpcId=vpc, HealthCheckPath="/readyz", HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2, Matcher={"HttpCode": "200"},
    )["TargetGroups"]  # fmt: skip
    arn = group["TargetGroupArn"]
    balancing.register_targets(TargetGroupArn=arn, Targets=[{"Id": node["InstanceId"]}])
    balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Port=LISTENER, Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )  # fmt: skip
    return balancer["LoadBalancerArn"].split(":loadbalancer/")[1], arn.split(":")[-1]


def put_alarm(aws: AwsProcess, balancer: str, topic: str) -> None:
    """Put the alarm of terraform/monitoring.tf, to ring after one minute."""
    names = {
        "elb": "HTTPCode_ELB_5XX_Count",
        "target": "HTTPCode_Target_5XX_Count",
        "requests": "RequestCount",
    }
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
        AlarmName="alb-5xx", EvaluationPeriods=1, Threshold=1, TreatMissingData="notBreaching",
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], OKActions=[topic],
        Metrics=[{"Id": "rate", "Expression": "100 * (elb + target) / requests", "ReturnData": True}, *queries],
    )  # fmt: skip


def serve(log: Path, when: datetime.datetime, status: int, times: int) -> None:
    """Write what the edge writes when no target answers (502), or one does."""
    seconds = "-" if status == 502 else "0.012"
    line = {
        "time": when.isoformat(timespec="seconds"), "listener": LISTENER, "path": "/", "status": status,
        "upstream": "127.0.0.1:30080", "target_seconds": seconds,
    }  # fmt: skip
    with log.open("a") as file:
        file.write((json.dumps(line) + "\n") * times)


def wait_for(wanted: object, look: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, f"{found!r} is not {wanted!r} after {seconds:g} s"
        time.sleep(0.2)


def test_an_alarm_rings_and_ends_tells_its_topic_and_outlives_a_kill(
    aws: AwsProcess, log: Path, target: int
) -> None:
    balancer, group = balance(aws, target)
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="seen")["QueueUrl"]
    aws.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen"
    )
    put_alarm(aws, balancer, topic)

    def alarm() -> dict[str, Any]:
        (found,) = aws.client("cloudwatch").describe_alarms(AlarmNames=["alb-5xx"])["MetricAlarms"]
        return found  # type: ignore[no-any-return]

    def state() -> Any:
        return alarm()["StateValue"]

    def healthy_hosts() -> list[float]:
        found = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB", MetricName="HealthyHostCount", Period=600, Statistics=["Minimum"],
            StartTime=datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=2),
            EndTime=datetime.datetime.now(datetime.UTC),
            Dimensions=[{"Name": "LoadBalancer", "Value": balancer}, {"Name": "TargetGroup", "Value": group}],
        )  # fmt: skip
        return [point["Minimum"] for point in found["Datapoints"]]

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
    said = [json.loads(json.loads(one["Body"])["Message"]) for one in received]
    assert [(one["AlarmName"], one["NewStateValue"]) for one in said] == [
        ("alb-5xx", "ALARM"),
        ("alb-5xx", "OK"),
    ]
    assert "Traceback" not in aws.errors.read_text()


def test_counting_and_evaluating_saves_nothing_and_costs_next_to_nothing(
    aws: AwsProcess, log: Path, target: int
) -> None:
    balance(aws, target)
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="hosts", Namespace="AWS/ApplicationELB", MetricName="HealthyHostCount", Dimensions=[], Statistic="Minimum",
        Period=60, EvaluationPeriods=5, ComparisonOperator="LessThanThreshold", Threshold=1,
    )  # fmt: skip
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
