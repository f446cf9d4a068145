"""What still writes into a deleted log group creates it again, without the key and the retention that it had."""

from __future__ import annotations

import pytest

from tests.unit.localcloud.aws.local_aws import LocalAws

CONTROL_PLANE = "/aws/eks/shop-local/cluster"
PODS = "/aws/containerinsights/shop-local/application"


def retention(aws: LocalAws, name: str) -> list[int | None]:
    """Return the retention of the log group NAME, nothing where there is none."""
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return [group.get("retentionInDays") for group in groups]


def make_group(aws: LocalAws, name: str) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=7)


def test_a_cluster_creates_its_log_group_again_until_it_is_deleted(aws: LocalAws) -> None:
    aws.make_cluster()
    every = {"types": ["api"], "enabled": True}
    aws.client("eks").update_cluster_config(name="shop-local", logging={"clusterLogging": [every]})
    make_group(aws, CONTROL_PLANE)
    assert retention(aws, CONTROL_PLANE) == [7]
    aws.client("logs").delete_log_group(logGroupName=CONTROL_PLANE)
    assert retention(aws, CONTROL_PLANE) == [None]
    aws.client("eks").delete_cluster(name="shop-local")
    aws.client("logs").delete_log_group(logGroupName=CONTROL_PLANE)
    assert retention(aws, CONTROL_PLANE) == []


def test_a_cluster_that_logs_nothing_creates_no_group(aws: LocalAws) -> None:
    aws.make_cluster()
    make_group(aws, CONTROL_PLANE)
    aws.client("logs").delete_log_group(logGroupName=CONTROL_PLANE)
    assert retention(aws, CONTROL_PLANE) == []


@pytest.mark.parametrize("group", ["application", "dataplane", "host", "performance"])
def test_the_observability_add_on_creates_its_log_groups_again_until_it_is_deleted(aws: LocalAws, group: str) -> None:
    aws.make_cluster()
    eks, logs, name = aws.client("eks"), aws.client("logs"), f"/aws/containerinsights/shop-local/{group}"
    eks.create_addon(clusterName="shop-local", addonName="amazon-cloudwatch-observability")
    make_group(aws, name)
    logs.delete_log_group(logGroupName=name)
    assert retention(aws, name) == [None]
    eks.delete_addon(clusterName="shop-local", addonName="amazon-cloudwatch-observability")
    logs.delete_log_group(logGroupName=name)
    assert retention(aws, name) == []


def test_other_groups_stay_deleted(aws: LocalAws) -> None:
    aws.make_cluster()
    make_group(aws, PODS)
    make_group(aws, "/aws/vpc/shop-local/flow")
    for name in (PODS, "/aws/vpc/shop-local/flow"):
        aws.client("logs").delete_log_group(logGroupName=name)
        assert retention(aws, name) == []
