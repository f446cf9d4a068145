"""What is in an account, by AWS's own calls."""

from __future__ import annotations

from typing import Any, Protocol

from tests.integration.aws_process import ACCOUNT

BUCKET = f"shop-terraform-state-{ACCOUNT}"


class Caller(Protocol):
    """Whoever has clients of a local AWS."""

    def client(self, service: str, /) -> Any: ...


def contents(aws: Caller) -> dict[str, Any]:
    """List what is in the account and not being deleted, by AWS's own calls instead of Terraform's state."""
    ec2, iam, kms = aws.client("ec2"), aws.client("iam"), aws.client("kms")
    load_balancing, cloudwatch = aws.client("elbv2"), aws.client("cloudwatch")
    aliases = kms.list_aliases()["Aliases"]
    aws_own = {alias.get("TargetKeyId") for alias in aliases if alias["AliasName"].startswith("alias/aws/")}
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    instances = [instance for group in ec2.describe_instances()["Reservations"] for instance in group["Instances"]]
    lists = {
        "clusters": aws.client("eks").list_clusters()["clusters"],
        "vpcs": [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
        "security groups": [
            group for group in ec2.describe_security_groups()["SecurityGroups"] if group["GroupName"] != "default"
        ],
        "instances": [instance for instance in instances if instance["State"]["Name"] != "terminated"],
        "launch templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "volumes": ec2.describe_volumes()["Volumes"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "gateways": [
            gateway for gateway in ec2.describe_nat_gateways()["NatGateways"] if gateway["State"] != "deleted"
        ],
        "internet gateways": ec2.describe_internet_gateways()["InternetGateways"],
        "endpoints": [
            endpoint for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"] if endpoint["State"] != "deleted"
        ],
        "flow logs": ec2.describe_flow_logs()["FlowLogs"],
        "scaling groups": aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"],
        "load balancers": load_balancing.describe_load_balancers()["LoadBalancers"],
        "target groups": load_balancing.describe_target_groups()["TargetGroups"],
        "buckets": [bucket for bucket in aws.client("s3").list_buckets()["Buckets"] if bucket["Name"] != BUCKET],
        "repositories": aws.client("ecr").describe_repositories()["repositories"],
        "roles": iam.list_roles()["Roles"],
        "users": [user for user in iam.list_users()["Users"] if user["UserName"] != "operator"],
        "policies": iam.list_policies(Scope="Local")["Policies"],
        "identity providers": iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
        "keys": [key for key in keys if key["KeyId"] not in aws_own and key["KeyState"] != "PendingDeletion"],
        "log groups": aws.client("logs").describe_log_groups()["logGroups"],
        "zones": aws.client("route53").list_hosted_zones()["HostedZones"],
        "certificates": aws.client("acm").list_certificates()["CertificateSummaryList"],
        "topics": aws.client("sns").list_topics()["Topics"],
        "alarms": cloudwatch.describe_alarms()["MetricAlarms"],
        "dashboards": cloudwatch.list_dashboards()["DashboardEntries"],
        "budgets": aws.client("budgets").describe_budgets(AccountId=ACCOUNT).get("Budgets"),
        "web acls": aws.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"],
    }
    return {kind: entries for kind, entries in lists.items() if entries}
