"""Terraform's calls to the patched operations: everything is created, read, changed and deleted."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.aws_calls_eks import CLUSTER, VIEW, access, addons, cluster, nodes, roles
from tests.integration.aws_calls_network import network
from tests.integration.aws_process import ACCOUNT, REGION
from tests.integration.aws_recorder import Recorder

NOTE = {
    "NotificationType": "ACTUAL",
    "ComparisonOperator": "GREATER_THAN",
    "Threshold": 80.0,
    "ThresholdType": "PERCENTAGE",
}


def make(ask: Recorder) -> None:
    """Create, read and change one of everything; delete nothing."""
    subnets, template = network(ask)
    roles(ask)
    cluster(ask, subnets)
    nodes(ask, subnets, template)
    access(ask)
    addons(ask)
    _budget(ask)
    _certificate(ask)
    _objects(ask)
    _alarm(ask)
    _balancer(ask, subnets)
    _logs(ask)
    _others(ask)


def _budget(ask: Recorder) -> None:
    limit = {"Amount": "5", "Unit": "USD"}
    budget = {"BudgetName": "contract", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    who = [{"SubscriptionType": "EMAIL", "Address": "someone@example.org"}]
    asked = {
        "AccountId": ACCOUNT,
        "Budget": budget,
        "NotificationsWithSubscribers": [{"Notification": NOTE, "Subscribers": who}],
        "ResourceTags": [{"Key": "a", "Value": "1"}],
    }
    ask("budgets", "create_budget", **asked)
    ask.refused("budgets", "create_budget", **asked)
    ask("budgets", "update_budget", AccountId=ACCOUNT, NewBudget={**budget, "BudgetLimit": {**limit, "Amount": "9"}})
    ask("budgets", "describe_subscribers_for_notification", AccountId=ACCOUNT, BudgetName="contract", Notification=NOTE)
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/contract"
    ask("budgets", "tag_resource", ResourceARN=arn, ResourceTags=[{"Key": "b", "Value": "2"}])
    ask("budgets", "list_tags_for_resource", ResourceARN=arn)
    ask("budgets", "untag_resource", ResourceARN=arn, ResourceTagKeys=["a"])
    elsewhere: dict[str, dict[str, Any]] = {
        "update_budget": {"AccountId": ACCOUNT, "NewBudget": {**budget, "BudgetName": "other"}},
        "describe_subscribers_for_notification": {"AccountId": ACCOUNT, "BudgetName": "other", "Notification": NOTE},
        "list_tags_for_resource": {"ResourceARN": arn + "s"},
        "tag_resource": {"ResourceARN": arn + "s", "ResourceTags": [{"Key": "b", "Value": "2"}]},
        "untag_resource": {"ResourceARN": arn + "s", "ResourceTagKeys": ["a"]},
    }
    for method, words in elsewhere.items():
        ask.refused("budgets", method, **words)
    unknown = {**NOTE, "Threshold": 99.0}
    ask.refused(
        "budgets",
        "describe_subscribers_for_notification",
        AccountId=ACCOUNT,
        BudgetName="contract",
        Notification=unknown,
    )


def _certificate(ask: Recorder) -> None:
    names = ["www.contract.localhost", "*.contract.localhost"]
    arn = ask(
        "acm",
        "request_certificate",
        DomainName="contract.localhost",
        SubjectAlternativeNames=names,
        ValidationMethod="DNS",
    )["CertificateArn"]
    options = ask("acm", "describe_certificate", CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
    zone = ask("route53", "create_hosted_zone", Name="contract.localhost", CallerReference="1")["HostedZone"]["Id"]
    records = {option["ResourceRecord"]["Name"]: option["ResourceRecord"]["Value"] for option in options}
    changes = [
        {
            "Action": "UPSERT",
            "ResourceRecordSet": {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]},
        }
        for name, value in records.items()
    ]
    ask("route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": changes})
    issued = ask("acm", "describe_certificate", CertificateArn=arn)["Certificate"]
    assert issued["Status"] == "ISSUED"
    ask.refused("acm", "describe_certificate", CertificateArn=arn[:-12] + "000000000000")


def _objects(ask: Recorder) -> None:
    ask("s3", "create_bucket", Bucket="contract", CreateBucketConfiguration={"LocationConstraint": REGION})
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::contract", "arn:aws:s3:::contract/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    ask("s3", "put_bucket_policy", Bucket="contract", Policy=json.dumps(policy))
    for key in ("one", "two"):
        ask("s3", "put_object", Bucket="contract", Key=key, Body=b"{}", ContentType="application/json")
    ask("s3", "get_object", Bucket="contract", Key="one")
    ask("s3", "head_object", Bucket="contract", Key="one")
    ask.refused("s3", "get_object", Bucket="contract", Key="three")
    ask.refused("s3", "head_object", Bucket="contract", Key="three")
    ask("s3", "delete_object", Bucket="contract", Key="one")
    ask("s3", "delete_objects", Bucket="contract", Delete={"Objects": [{"Key": "two"}]})
    ask.refused("s3", "put_object", Bucket="no-such-bucket", Key="one", Body=b"")


def _alarm(ask: Recorder) -> None:
    alarm = {
        "AlarmName": "contract",
        "Namespace": "Contract",
        "MetricName": "Broken",
        "Statistic": "Sum",
        "Period": 60,
        "Threshold": 1.0,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    ask("cloudwatch", "put_metric_alarm", **alarm)
    ask("cloudwatch", "set_alarm_state", AlarmName="contract", StateValue="ALARM", StateReason="a test")
    ask.refused("cloudwatch", "set_alarm_state", AlarmName="no-such", StateValue="OK", StateReason="a test")


def _balancer(ask: Recorder, subnets: list[str]) -> None:
    ask.refused("elbv2", "create_load_balancer", Name="contract", Subnets=subnets)
    (subnet,) = ask("ec2", "describe_subnets", SubnetIds=subnets[:1])["Subnets"]
    gateway = ask("ec2", "create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
    ask("ec2", "attach_internet_gateway", InternetGatewayId=gateway, VpcId=subnet["VpcId"])
    ask("elbv2", "create_load_balancer", Name="contract", Subnets=subnets)


def _logs(ask: Recorder) -> None:
    ask("logs", "create_log_group", logGroupName="contract")
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    ask("logs", "associate_kms_key", logGroupName="contract", kmsKeyId=key)
    ask("logs", "disassociate_kms_key", logGroupName="contract")
    ask.refused("logs", "associate_kms_key", logGroupName="other", kmsKeyId=key)
    ask.refused("logs", "disassociate_kms_key", logGroupName="other")
    ask("logs", "delete_log_group", logGroupName="contract")
    ask.refused("logs", "delete_log_group", logGroupName="contract")


def _others(ask: Recorder) -> None:
    ask(
        "ecr",
        "create_repository",
        repositoryName="contract/app",
        imageTagMutability="IMMUTABLE",
        tags=[{"Key": "a", "Value": "1"}],
    )
    ask.refused("ecr", "create_repository", repositoryName="contract/app")
    ask("ecr", "describe_repositories", repositoryNames=["contract/app"])
    ask.refused("ecr", "describe_repositories", repositoryNames=["contract/other"])
    ask("ecr", "get_authorization_token")

    ask("iam", "list_service_specific_credentials", UserName="operator")
    ask.refused("iam", "list_service_specific_credentials", UserName="nobody")
    image = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended/release_version"
    ask("ssm", "get_parameter", Name=image)
    ask.refused("ssm", "get_parameter", Name=image + "s")
    ask("iam", "get_policy", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    ask.refused("iam", "get_policy", PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy")
    ask("iam", "list_policies", Scope="AWS", MaxItems=10)
    bound = {"PermissionsBoundary": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"}
    ask("iam", "create_user", UserName="contract", **bound)
    ask.refused("iam", "create_user", UserName="contract")
    ask("iam", "get_user", UserName="contract")
    ask.refused("iam", "get_user", UserName="nobody")
    ask("iam", "put_user_permissions_boundary", UserName="contract", **bound)
    ask.refused("iam", "put_user_permissions_boundary", UserName="nobody", **bound)
    ask("iam", "delete_user_permissions_boundary", UserName="contract")
    ask.refused("iam", "delete_user_permissions_boundary", UserName="nobody")
    simulated = {"ActionNames": ["s3:PutObject", "eks:CreateCluster"]}
    arn = f"arn:aws:iam::{ACCOUNT}:user/contract"
    ask("iam", "simulate_principal_policy", PolicySourceArn=arn, **simulated)
    ask.refused("iam", "simulate_principal_policy", PolicySourceArn=arn + "s", **simulated)
    vcpus = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    ask("service-quotas", "get_service_quota", **vcpus)
    ask.refused("service-quotas", "get_service_quota", ServiceCode="ec2", QuotaCode="L-00000000")
    ask("service-quotas", "request_service_quota_increase", **vcpus, DesiredValue=32.0)
    ask.refused(
        "service-quotas", "request_service_quota_increase", ServiceCode="ec2", QuotaCode="L-00000000", DesiredValue=1.0
    )
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = ask("iam", "create_role", RoleName="assumed", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    ask("sts", "assume_role", RoleArn=role, RoleSessionName="contract", DurationSeconds=900)
    ask.refused("sts", "assume_role", RoleArn=role + "s", RoleSessionName="contract")
    ask("sts", "get_caller_identity")
    ask("sts", "get_session_token", DurationSeconds=900)


def unmake(ask: Recorder) -> None:
    """Delete what `make` left, if its deletion is patched."""
    entry = {"clusterName": CLUSTER, "principalArn": f"arn:aws:iam::{ACCOUNT}:role/team/deploy"}
    ask("eks", "disassociate_access_policy", **entry, policyArn=VIEW)
    ask("eks", "delete_access_entry", **entry)
    associations = ask("eks", "list_pod_identity_associations", clusterName=CLUSTER)["associations"]
    ask("eks", "delete_pod_identity_association", clusterName=CLUSTER, associationId=associations[0]["associationId"])
    ask("eks", "delete_addon", clusterName=CLUSTER, addonName="vpc-cni", preserve=True)
    ask.refused("eks", "delete_cluster", name=CLUSTER)
    ask("eks", "delete_nodegroup", clusterName=CLUSTER, nodegroupName="nodes")
    ask("eks", "delete_cluster", name=CLUSTER)


def standing(ask: Recorder) -> dict[str, Any]:
    """Return everything that exists of what the patched operations can create or change."""
    here = {"clusterName": CLUSTER}
    entries = ask("eks", "list_access_entries", **here)["accessEntries"]
    questions: list[tuple[str, str, dict[str, Any]]] = [
        ("eks", "list_clusters", {}),
        ("eks", "describe_cluster", {"name": CLUSTER}),
        ("eks", "list_nodegroups", here),
        ("eks", "describe_nodegroup", {**here, "nodegroupName": "nodes"}),
        ("eks", "list_addons", here),
        ("eks", "describe_addon", {**here, "addonName": "vpc-cni"}),
        ("eks", "list_pod_identity_associations", here),
        *(("eks", "describe_access_entry", {**here, "principalArn": entry}) for entry in entries),
        *(("eks", "list_associated_access_policies", {**here, "principalArn": entry}) for entry in entries),
        ("budgets", "describe_budgets", {"AccountId": ACCOUNT}),
        ("budgets", "list_tags_for_resource", {"ResourceARN": f"arn:aws:budgets::{ACCOUNT}:budget/contract"}),
        ("ecr", "describe_repositories", {}),
        ("ec2", "describe_launch_templates", {}),
        ("ec2", "describe_launch_template_versions", {"LaunchTemplateName": "contract"}),
        ("ec2", "describe_security_group_rules", {}),
        ("ec2", "describe_instances", {}),
        ("ec2", "describe_nat_gateways", {}),
        ("ec2", "describe_network_interfaces", {}),
        ("acm", "list_certificates", {}),
        ("elbv2", "describe_load_balancers", {}),
        ("logs", "describe_log_groups", {}),
    ]
    answers = {f"{service} {method} {asked}": ask(service, method, **asked) for service, method, asked in questions}
    for answer in answers.values():
        answer.pop("ResponseMetadata")
    return answers
