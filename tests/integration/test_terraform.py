"""The real Terraform and provider against the local AWS: apply, empty plan, destroy, nothing left. About three minutes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess

BUCKET = f"shop-terraform-state-{ACCOUNT}"
FOLDER = ROOT / "terraform"
NO_CHANGES, CHANGES = 0, 2


class Terraform:
    """Terraform on the project's root, with its data and the provider mirror of this machine."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        mirrors = sorted(Path("/").glob("opt/*/registry.terraform.io/hashicorp/aws"))
        assert shutil.which("terraform"), "there is no terraform on the PATH"
        assert mirrors, "there is no folder mirror of hashicorp/aws under /opt"
        config = folder / "terraform.rc"
        config.write_text(
            f'provider_installation {{\n  filesystem_mirror {{ path = "{mirrors[0].parents[2]}" }}\n}}\n'
        )
        self.environment = environment | {
            "TF_CLI_CONFIG_FILE": str(config),
            "TF_DATA_DIR": str(folder / "data"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "TF_VAR_environment": "local",
            "TF_VAR_http_port": "8080",
            "TF_VAR_https_port": "8443",
        }

    def run(self, *words: str, accepted: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run `terraform WORDS` and return its result; any other exit code than ACCEPTED fails the test."""
        done = subprocess.run(
            ["terraform", f"-chdir={FOLDER}", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode in accepted, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def plan(self, *words: str, accepted: int) -> subprocess.CompletedProcess[str]:
        options = ("-input=false", "-no-color", "-detailed-exitcode", "-var-file=environments/local.tfvars")
        return self.run("plan", *options, *words, accepted=(accepted,))


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    one = AwsProcess(tmp_path / "state")
    one.start()
    yield one
    if one.process:
        one.end(kill=True)


def left(aws: AwsProcess) -> dict[str, Any]:
    """List what stands in the account, by the calls of AWS and not by Terraform's state; what is on its way out is not."""
    ec2, iam, kms = aws.client("ec2"), aws.client("iam"), aws.client("kms")
    load_balancing, cloudwatch = aws.client("elbv2"), aws.client("cloudwatch")
    aliases = kms.list_aliases()["Aliases"]
    aws_own = {one.get("TargetKeyId") for one in aliases if one["AliasName"].startswith("alias/aws/")}
    keys = [kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"] for one in kms.list_keys()["Keys"]]
    instances = [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]]
    found = {
        "clusters": aws.client("eks").list_clusters()["clusters"],
        "vpcs": [one for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]],
        "security groups": [
            one for one in ec2.describe_security_groups()["SecurityGroups"] if one["GroupName"] != "default"
        ],
        "instances": [one for one in instances if one["State"]["Name"] != "terminated"],
        "launch templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "volumes": ec2.describe_volumes()["Volumes"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "gateways": [one for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"],
        "internet gateways": ec2.describe_internet_gateways()["InternetGateways"],
        "endpoints": [
            one for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if one["State"] != "deleted"
        ],
        "flow logs": ec2.describe_flow_logs()["FlowLogs"],
        "scaling groups": aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"],
        "load balancers": load_balancing.describe_load_balancers()["LoadBalancers"],
        "target groups": load_balancing.describe_target_groups()["TargetGroups"],
        "buckets": [one for one in aws.client("s3").list_buckets()["Buckets"] if one["Name"] != BUCKET],
        "repositories": aws.client("ecr").describe_repositories()["repositories"],
        "roles": iam.list_roles()["Roles"],
        "users": [one for one in iam.list_users()["Users"] if one["UserName"] != "operator"],
        "policies": iam.list_policies(Scope="Local")["Policies"],
        "identity providers": iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
        "keys": [one for one in keys if one["KeyId"] not in aws_own and one["KeyState"] != "PendingDeletion"],
        "log groups": aws.client("logs").describe_log_groups()["logGroups"],
        "zones": aws.client("route53").list_hosted_zones()["HostedZones"],
        "certificates": aws.client("acm").list_certificates()["CertificateSummaryList"],
        "topics": aws.client("sns").list_topics()["Topics"],
        "alarms": cloudwatch.describe_alarms()["MetricAlarms"],
        "dashboards": cloudwatch.list_dashboards()["DashboardEntries"],
        "budgets": aws.client("budgets").describe_budgets(AccountId=ACCOUNT).get("Budgets"),
        "web acls": aws.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"],
    }
    return {kind: things for kind, things in found.items() if things}


def test_the_root_applies_plans_nothing_more_and_is_destroyed_whole(aws: AwsProcess, tmp_path: Path) -> None:
    bare = left(aws)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    terraform = Terraform(tmp_path, aws.environment)
    backend = {"bucket": BUCKET, "key": "local/terraform.tfstate", "region": REGION}
    settings = [f"-backend-config={key}={value}" for key, value in backend.items()]
    terraform.run("init", "-input=false", "-no-color", "-lockfile=readonly", *settings)

    saved = tmp_path / "plan"
    terraform.plan(f"-out={saved}", accepted=CHANGES)
    terraform.run("apply", "-input=false", "-no-color", "-parallelism=30", str(saved))

    outputs = {
        name: one["value"] for name, one in json.loads(terraform.run("output", "-json").stdout).items()
    }
    assert outputs["cluster_name"] == "shop-local"
    assert outputs["url"] == "https://shop.localhost:8443"
    assert outputs["repository_url"] == "127.0.0.1:5001/shop/app"
    cluster = aws.client("eks").describe_cluster(name="shop-local")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.35")
    state = json.load(s3.get_object(Bucket=BUCKET, Key="local/terraform.tfstate")["Body"])
    assert "aws_eks_cluster" in {one["type"] for one in state["resources"]}
    locks = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [one["Key"] for one in locks] == ["local/terraform.tfstate"], "the lock was left"

    aws.end()
    aws.start()
    terraform.plan(accepted=NO_CHANGES)

    changed = terraform.plan("-var=log_retention_days=14", accepted=CHANGES).stdout
    assert "0 to add" in changed
    assert "0 to destroy" in changed

    terraform.run(
        "destroy",
        "-input=false",
        "-no-color",
        "-auto-approve",
        "-parallelism=30",
        "-var-file=environments/local.tfvars",
    )
    assert left(aws) == bare


def test_formatting_and_every_refusal_and_condition(tmp_path: Path) -> None:
    offline = {"PATH": AwsProcess(tmp_path / "none").environment["PATH"], "HOME": str(tmp_path)}
    terraform = Terraform(tmp_path, offline)
    terraform.environment = {
        key: value for key, value in terraform.environment.items() if not key.startswith("TF_VAR_")
    }
    terraform.run("fmt", "-check", "-recursive")
    terraform.run("init", "-backend=false", "-input=false", "-no-color", "-lockfile=readonly")
    terraform.run("validate", "-no-color")
    done = terraform.run("test", "-no-color")
    assert ", 0 failed" in done.stdout
    assert "0 passed" not in done.stdout
