"""What a project's cluster, and the load balancer in front of it, tell of its nodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.project import Project


def places(project: Project) -> list[str]:
    """Return the node of each pod that is ready and stays."""
    items = project.kubectl("get", "pods")["items"]
    staying = [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]
    return sorted(pod["spec"]["nodeName"] for pod in staying if is_ready(pod))


def is_ready(item: dict[str, Any]) -> bool:
    conditions = item["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def nodes(project: Project) -> dict[str, bool]:
    """Return whether each node is Ready."""
    return {node["metadata"]["name"]: is_ready(node) for node in project.kubectl("get", "nodes")["items"]}


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait for CONDITION; return how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.5)
    return time.monotonic() - began


def healthy(project: Project) -> float:
    """Return what HealthyHostCount was in the last whole minute, -1 if nothing."""
    group, balancer = (
        project.client("elbv2").describe_target_groups()["TargetGroups"][0]["TargetGroupArn"].rpartition(":")[2],
        project.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"],
    )
    dimensions = {"TargetGroup": group, "LoadBalancer": balancer.partition(":loadbalancer/")[2]}
    now = datetime.now(UTC)
    points = project.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="HealthyHostCount",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=3),
        EndTime=now,
        Period=60,
        Statistics=["Minimum", "Maximum"],
    )["Datapoints"]
    last = max(points, key=lambda point: point["Timestamp"], default={"Minimum": -1.0, "Maximum": -1.0})
    return float(last["Minimum"]) if last["Minimum"] == last["Maximum"] else -1.0
