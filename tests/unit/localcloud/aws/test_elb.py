"""A load balancer for the internet needs a way there."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.aws.local_aws import REGION, LocalAws


def subnets(aws: LocalAws) -> tuple[str, list[str]]:
    """Create a VPC with a subnet in each of two zones; return its id and theirs."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for index, zone in enumerate("ab")
    ]
    return vpc, [subnet["SubnetId"] for subnet in made]


def test_a_load_balancer_for_the_internet_is_refused_until_a_gateway_is_attached(aws: LocalAws) -> None:
    ec2, balancing = aws.client("ec2"), aws.client("elbv2")
    vpc, within = subnets(aws)
    with pytest.raises(ClientError, match=f"InvalidSubnet.*VPC {vpc} has no internet gateway"):
        balancing.create_load_balancer(Name="shop", Subnets=within)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with pytest.raises(ClientError, match="InvalidSubnet"):
        balancing.create_load_balancer(Name="shop", Subnets=within)
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (made,) = balancing.create_load_balancer(Name="shop", Subnets=within)["LoadBalancers"]
    assert made["Scheme"] == "internet-facing"


def test_an_internal_load_balancer_needs_no_gateway(aws: LocalAws) -> None:
    made = aws.client("elbv2").create_load_balancer(Name="shop", Subnets=subnets(aws)[1], Scheme="internal")
    assert len(made["LoadBalancers"]) == 1
