"""What EKS refuses though botocore's model allows it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.aws.local_aws import LocalAws

ROLE = "arn:aws:iam::123456789012:role/"


@pytest.mark.parametrize(("region", "bad"), [("us-east-1", "us-east-1e"), ("eu-central-1", "")])
def test_a_cluster_in_a_zone_that_eks_does_not_take_is_refused(aws: LocalAws, region: str, bad: str) -> None:
    subnets = aws.make_subnets(region, 6 if bad else 2)
    if not bad:
        assert aws.make_cluster(subnets=subnets, region=region)["status"] == "ACTIVE"
        return
    sentence = rf"UnsupportedAvailabilityZoneException.*because {bad}, the targeted availability zone, does not"
    with pytest.raises(ClientError, match=sentence) as refused:
        aws.make_cluster(subnets=subnets, region=region)
    answer: Any = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1f" in answer["Error"]["Message"]


def test_us_west_1_has_the_two_zones_that_a_new_account_sees(aws: LocalAws) -> None:
    zones = aws.client("ec2", region="us-west-1").describe_availability_zones()["AvailabilityZones"]
    assert [zone["ZoneName"] for zone in zones] == ["us-west-1a", "us-west-1b"]


def test_a_cluster_in_one_zone_alone_is_refused(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match="Subnets specified must be in at least two different AZs"):
        aws.make_cluster(subnets=aws.make_subnets(count=1))


@pytest.mark.parametrize("version", ["1.20", "1.99"])
def test_a_version_that_eks_does_not_offer_is_refused(aws: LocalAws, version: str) -> None:
    with pytest.raises(ClientError, match="unsupported Kubernetes version"):
        aws.make_cluster(version=version)


@pytest.mark.parametrize(("before", "after"), [("1.35", "1.34"), ("1.35", "1.35"), ("1.33", "1.35")])
def test_a_control_plane_goes_up_by_one_minor_version_and_never_down(aws: LocalAws, before: str, after: str) -> None:
    aws.make_cluster(version=before)
    eks = aws.client("eks")
    with pytest.raises(ClientError, match=f"Unsupported Kubernetes minor version update from {before} to {after}"):
        eks.update_cluster_version(name="shop-local", version=after)
    assert eks.describe_cluster(name="shop-local")["cluster"]["version"] == before


def group(aws: LocalAws, **other: Any) -> dict[str, Any]:
    subnets = aws.client("eks").describe_cluster(name="shop-local")["cluster"]["resourcesVpcConfig"]["subnetIds"]
    aws.role("node")
    asked = {"clusterName": "shop-local", "nodegroupName": "main", "subnets": subnets, "nodeRole": ROLE + "node"}
    made: dict[str, Any] = aws.client("eks").create_nodegroup(**asked | other)["nodegroup"]
    return made


def test_nodes_follow_the_control_plane_and_never_go_back(aws: LocalAws) -> None:
    aws.make_cluster(version="1.34")
    group(aws)
    eks = aws.client("eks")
    nodes: dict[str, Any] = {"clusterName": "shop-local", "nodegroupName": "main"}
    for version in ("1.35", "1.33"):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            eks.update_nodegroup_version(**nodes, version=version)
    eks.update_cluster_version(name="shop-local", version="1.35")
    eks.update_nodegroup_version(**nodes, version="1.35")
    assert eks.describe_nodegroup(**nodes)["nodegroup"]["releaseVersion"].startswith("1.35.")


def test_sizes_that_contradict_each_other_are_refused(aws: LocalAws) -> None:
    aws.make_cluster()
    for sizes, words in (
        ({"minSize": 2, "maxSize": 3, "desiredSize": 1}, "Minimum capacity 2 can't be greater than desired size 1"),
        ({"minSize": 1, "maxSize": 2, "desiredSize": 3}, "desired capacity 3 can't be greater than max size 2"),
    ):
        with pytest.raises(ClientError, match=words):
            group(aws, scalingConfig=sizes)


def test_a_node_groups_name_has_63_characters_at_most(aws: LocalAws) -> None:
    aws.make_cluster()
    with pytest.raises(ClientError, match="InvalidParameterException"):
        group(aws, nodegroupName="n" * 64)
    group(aws, nodegroupName="n" * 63)


@pytest.mark.parametrize("kind", ["role", "user"])
def test_an_access_entry_for_a_ghost_is_refused(aws: LocalAws, kind: str) -> None:
    aws.make_cluster()
    arn = f"arn:aws:iam::123456789012:{kind}/ghost"
    with pytest.raises(ClientError, match="The specified principalArn is invalid: invalid principal"):
        aws.client("eks").create_access_entry(clusterName="shop-local", principalArn=arn)


def test_roles_that_do_not_exist_are_refused(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match="could not be assumed"):
        aws.make_cluster(role=ROLE + "ghost")
    aws.make_cluster()
    with pytest.raises(ClientError, match="The role with name ghost cannot be found"):
        group(aws, nodeRole=ROLE + "ghost")
    pod = {"clusterName": "shop-local", "namespace": "shop", "serviceAccount": "app"}
    with pytest.raises(ClientError, match="InvalidParameterException"):
        aws.client("eks").create_pod_identity_association(**pod, roleArn=ROLE + "ghost")


@pytest.mark.parametrize(
    ("addon", "version"),
    [("kube-proxy", "v1.34.1-eksbuild.2"), ("coredns", "v9.0.0-eksbuild.1"), ("vpc-cni", "v1.2.3-eksbuild.1")],
)
def test_an_addon_version_that_does_not_exist_for_the_cluster_is_refused(
    aws: LocalAws, addon: str, version: str
) -> None:
    aws.make_cluster()
    with pytest.raises(ClientError, match="Addon version specified is not supported"):
        aws.client("eks").create_addon(clusterName="shop-local", addonName=addon, addonVersion=version)


def test_what_aws_recommends_for_nodes_is_a_public_parameter(aws: LocalAws) -> None:
    for architecture in ("x86_64", "arm64"):
        path = (
            f"/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/{architecture}/standard/recommended/release_version"
        )
        assert aws.client("ssm").get_parameter(Name=path)["Parameter"]["Value"] == "1.35.0-20251101"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        aws.client("ssm").get_parameter(Name=path.replace("1.35", "1.20"))


def test_quotas_of_a_new_account_hold(aws: LocalAws) -> None:
    ec2 = aws.client("ec2", region="eu-west-3")
    for _ in range(5):
        ec2.allocate_address(Domain="vpc")
    with pytest.raises(ClientError, match="AddressLimitExceeded"):
        ec2.allocate_address(Domain="vpc")
    there = len(ec2.describe_vpcs()["Vpcs"])
    for number in range(there, 5):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
    with pytest.raises(ClientError, match="VpcLimitExceeded"):
        ec2.create_vpc(CidrBlock="10.9.0.0/16")
