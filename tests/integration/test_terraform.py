"""The real Terraform and provider against the local AWS: apply, empty plan, each variable's changes, destroy, nothing left.

The tests share what one apply made, and stand in the order in which that goes. About three minutes.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess
from tests.integration.terraform_variables import QUICK, ROWS, Row

BUCKET = f"shop-terraform-state-{ACCOUNT}"
FOLDER = ROOT / "terraform"
NO_CHANGES, CHANGES = 0, 2
# Two nodes, so that each of the three numbers of nodes may change alone.
VARIABLES = ("-var-file=environments/local.tfvars", "-var=node_desired_size=2")


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
            "GOGC": "400",  # a fifth less time for some hundred MiB more
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

    def plan(self, *words: str, accepted: int) -> None:
        options = ("-input=false", "-no-color", "-detailed-exitcode", *VARIABLES)
        self.run("plan", *options, *words, accepted=(accepted,))

    def changes(self, name: str, row: Row) -> tuple[set[str], str]:
        """Plan with the variable NAME as ROW has it; return what would change, as `ACTION ADDRESS`, and the errors."""
        options = ("-input=false", "-json", "-lock=false", f"-refresh={str(row.refresh).lower()}", *VARIABLES)
        done = self.run("plan", *options, f"-var={name}={row.value}", accepted=(1,) if row.refused else (0,))
        found, errors = set(), ""
        for event in map(json.loads, done.stdout.splitlines()):
            if event["type"] == "planned_change" and event["change"]["action"] not in ("noop", "read"):
                found.add(f"{event['change']['action']} {event['change']['resource']['addr']}")
            if event["type"] == "outputs":
                outputs = event["outputs"].items()
                found |= {
                    f"{one['action']} output.{name}" for name, one in outputs if one["action"] != "noop"
                }
            if event["type"] == "diagnostic":
                errors += event["@message"]
        return found, errors


@dataclass
class Applied:
    """The root as it stands in a local AWS, and what stood there before."""

    aws: AwsProcess
    terraform: Terraform
    bare: dict[str, Any]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    folder = tmp_path_factory.mktemp("terraform")
    aws = AwsProcess(folder / "state")
    aws.start()
    try:
        bare = left(aws)
        place = {"LocationConstraint": REGION}
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        terraform = Terraform(folder, aws.environment)
        backend = {"bucket": BUCKET, "key": "local/terraform.tfstate", "region": REGION}
        settings = [f"-backend-config={key}={value}" for key, value in backend.items()]
        terraform.run("init", "-input=false", "-no-color", "-lockfile=readonly", *settings)
        saved = folder / "plan"
        terraform.plan(f"-out={saved}", accepted=CHANGES)
        terraform.run("apply", "-input=false", "-no-color", "-parallelism=30", str(saved))
        yield Applied(aws, terraform, bare)
    finally:
        if aws.process:
            aws.end(kill=True)


Plan = Future[tuple[set[str], str]]


@pytest.fixture(scope="module")
def plans(applied: Applied, request: pytest.FixtureRequest) -> Iterator[dict[str, Plan]]:
    """The plan of each variable that a test was asked for, two at a time."""
    asked = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    names = [params["variable"] for params in asked if "variable" in params]
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(applied.terraform.changes, name, ROWS[name]) for name in names}
        pool.shutdown(cancel_futures=True)


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


def test_the_root_applies_and_leaves_no_lock(applied: Applied) -> None:
    said = json.loads(applied.terraform.run("output", "-json").stdout)
    outputs = {name: one["value"] for name, one in said.items()}
    assert outputs["cluster_name"] == "shop-local"
    assert outputs["url"] == "https://shop.localhost:8443"
    assert outputs["repository_url"] == "127.0.0.1:5001/shop/app"
    cluster = applied.aws.client("eks").describe_cluster(name="shop-local")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.35")
    s3 = applied.aws.client("s3")
    state = json.load(s3.get_object(Bucket=BUCKET, Key="local/terraform.tfstate")["Body"])
    assert "aws_eks_cluster" in {one["type"] for one in state["resources"]}
    kept = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [one["Key"] for one in kept] == ["local/terraform.tfstate"], "the lock was left"


def test_a_second_plan_is_empty_also_after_the_aws_was_started_anew(applied: Applied) -> None:
    applied.aws.end()
    applied.aws.start()
    applied.terraform.plan(accepted=NO_CHANGES)


def test_every_variable_has_a_row() -> None:
    declared = re.findall(r'^variable "(\w+)"', (FOLDER / "variables.tf").read_text(), re.MULTILINE)
    assert list(ROWS) == declared
    assert set(QUICK) < set(declared)


@pytest.mark.parametrize(
    "variable", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ROWS]
)
def test_a_variable_changes_what_its_row_says_and_nothing_else(plans: dict[str, Plan], variable: str) -> None:
    row = ROWS[variable]
    found, errors = plans[variable].result()
    assert row.refused in errors, errors
    assert row.planned - found == set()
    assert row.partly or found - row.planned == set()


def test_another_node_port_is_applied_while_the_listener_uses_the_old_one(applied: Applied) -> None:
    options = ("-input=false", "-no-color", "-auto-approve", "-refresh=false", *VARIABLES)
    applied.terraform.run("apply", *options, "-var=node_port=30081")
    groups = applied.aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert [group["Port"] for group in groups] == [30081]


def test_destroying_leaves_nothing_in_the_account(applied: Applied) -> None:
    options = ("-input=false", "-no-color", "-auto-approve", "-parallelism=30", *VARIABLES)
    applied.terraform.run("destroy", *options)
    assert left(applied.aws) == applied.bare


def test_the_lowest_supported_versions_are_those_that_are_tested() -> None:
    versions = (FOLDER / "versions.tf").read_text()
    lowest = re.findall(r'= "[>~= ]+([0-9.]+)', versions)
    said = re.search(r"Terraform (\S+) .* provider (\S+) to", (FOLDER / "README.md").read_text())
    assert said
    pipeline = re.search(r'TERRAFORM_VERSION: "(.*)"', (ROOT / ".gitlab-ci.yml").read_text())
    assert pipeline
    locked = re.search(r'version += "(.*)"', (FOLDER / ".terraform.lock.hcl").read_text())
    assert locked
    assert said.groups() == (pipeline[1], locked[1])
    assert lowest[0] == pipeline[1]
    assert locked[1].startswith(lowest[1])


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
