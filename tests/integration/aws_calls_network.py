"""Terraform's calls to EC2: the network, a launch template, and what costs by the hour."""

from __future__ import annotations

from tests.integration.aws_process import REGION
from tests.integration.aws_recorder import Recorder


def network(ask: Recorder) -> tuple[list[str], str]:
    """Create, read and change them. Return the subnets and the launch template."""
    vpc = ask("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    blocks = {"a": "10.0.0.0/24", "b": "10.0.1.0/24"}
    subnets = [
        ask("ec2", "create_subnet", VpcId=vpc, CidrBlock=block, AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
        for zone, block in blocks.items()
    ]
    group = ask("ec2", "create_security_group", GroupName="contract", Description="contract", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ask("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[permission])
    by_group = [{"Name": "group-id", "Values": [group]}]
    rules = ask("ec2", "describe_security_group_rules", Filters=by_group)["SecurityGroupRules"]
    rule = next(each["SecurityGroupRuleId"] for each in rules if not each["IsEgress"])
    for wanted in ({"IpProtocol": "-1"}, {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}):
        changed = {
            "SecurityGroupRuleId": rule,
            "SecurityGroupRule": {**wanted, "CidrIpv4": "10.0.0.0/8", "Description": "web"},
        }
        ask("ec2", "modify_security_group_rules", GroupId=group, SecurityGroupRules=[changed])
        ask("ec2", "describe_security_group_rules", SecurityGroupRuleIds=[rule])

    image = ask("ec2", "describe_images", Owners=["amazon"])["Images"][0]["ImageId"]
    data = {
        "ImageId": image,
        "InstanceType": "t3.small",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "Encrypted": True}}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}]}],
    }
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "b", "Value": "2"}]}]
    made = ask(
        "ec2", "create_launch_template", LaunchTemplateName="contract", LaunchTemplateData=data, TagSpecifications=tags
    )["LaunchTemplate"]["LaunchTemplateId"]
    ask(
        "ec2",
        "create_launch_template_version",
        LaunchTemplateId=made,
        LaunchTemplateData=data,
        VersionDescription="two",
    )
    ask("ec2", "describe_launch_templates", LaunchTemplateIds=[made])
    ask("ec2", "describe_launch_template_versions", LaunchTemplateId=made, Versions=["1", "2"])

    address = ask("ec2", "allocate_address", Domain="vpc")["AllocationId"]
    gateway = ask("ec2", "create_nat_gateway", SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    ask("ec2", "delete_nat_gateway", NatGatewayId=gateway)
    instance = ask("ec2", "run_instances", ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])["Instances"][0]
    ask("ec2", "terminate_instances", InstanceIds=[instance["InstanceId"]])
    ask.refused("ec2", "terminate_instances", InstanceIds=["i-00000000000000000"])
    ask.refused("ec2", "delete_nat_gateway", NatGatewayId="nat-00000000000000000")
    ask.refused("ec2", "create_launch_template", LaunchTemplateName="contract", LaunchTemplateData=data)
    return subnets, made
