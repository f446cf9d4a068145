"""A load balancer with a listener, targets and the network it needs."""

from __future__ import annotations

from tests.integration.aws_process import REGION, AwsProcess

LISTENER = 8443


def balance(aws: AwsProcess, target: int) -> tuple[str, str]:
    """Create a load balancer that forwards to TARGET; return the dimensions of its metrics."""
    ec2, balancing = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("ab")
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    node = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])["Instances"][0]
    (balancer,) = balancing.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"]
    (group,) = balancing.create_target_group(
        Name="shop-app",
        Protocol="HTTP",
        Port=target,
        VpcId=vpc,
        HealthCheckPath="/readyz",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        Matcher={"HttpCode": "200"},
    )["TargetGroups"]
    arn = group["TargetGroupArn"]
    balancing.register_targets(TargetGroupArn=arn, Targets=[{"Id": node["InstanceId"]}])
    balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Port=LISTENER,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    return balancer["LoadBalancerArn"].split(":loadbalancer/")[1], arn.split(":")[-1]
