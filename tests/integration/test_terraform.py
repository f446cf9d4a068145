"""The real Terraform and provider with the local AWS: apply, empty plan, the changes of each variable, destroy.

The tests share one apply and run in this order. About three minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import web_acl
from localcloud.aws.auto_monitor import ADDON, policies
from longshore.infra.outputs import Outputs, plain
from tests.integration.account import BUCKET, contents
from tests.integration.aws_process import REGION, ROOT, AwsProcess
from tests.integration.terraform import CHANGES, FOLDER, NO_CHANGES, VARIABLES, Terraform
from tests.integration.terraform_variables import QUICK, ROWS


@dataclass
class Applied:
    """The root as applied to a local AWS; BARE is what existed before, FILES are those in the source folder."""

    aws: AwsProcess
    terraform: Terraform
    bare: dict[str, Any]
    files: list[Path]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    folder = tmp_path_factory.mktemp("terraform")
    aws = AwsProcess(folder / "state")
    aws.start()
    try:
        bare, files = contents(aws), listed()
        region = {"LocationConstraint": REGION}
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
        terraform = Terraform(folder, aws.environment)
        terraform.init()
        saved = folder / "plan"
        assert terraform.plan(f"-out={saved}") == CHANGES
        terraform.run("apply", "-input=false", "-no-color", "-parallelism=30", str(saved))
        yield Applied(aws, terraform, bare, files)
    finally:
        if aws.process:
            aws.end(kill=True)


Plan = Future[tuple[set[str], str]]


@pytest.fixture(scope="module")
def plans(applied: Applied, request: pytest.FixtureRequest) -> Iterator[dict[str, Plan]]:
    """The plans of all variables whose tests run, two at a time."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    names = [params["variable"] for params in parameters if params.get("variable") in ROWS]
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(applied.terraform.changes, name, ROWS[name]) for name in names}
        pool.shutdown(cancel_futures=True)


def listed() -> list[Path]:
    return sorted(FOLDER.rglob("*"))


def test_the_root_applies_and_leaves_no_lock(applied: Applied) -> None:
    outputs = plain(json.loads(applied.terraform.run("output", "-json").stdout))
    assert Outputs.of(outputs).node_port == 30080
    assert outputs["cluster_name"] == "shop-local"
    assert outputs["url"] == "https://shop.localhost:8443"
    assert outputs["repository_url"] == "127.0.0.1:5001/shop/app"
    cluster = applied.aws.client("eks").describe_cluster(name="shop-local")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.35")
    s3 = applied.aws.client("s3")
    state = json.load(s3.get_object(Bucket=BUCKET, Key="local/terraform.tfstate")["Body"])
    assert "aws_eks_cluster" in {resource["type"] for resource in state["resources"]}
    objects = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [entry["Key"] for entry in objects] == ["local/terraform.tfstate"], "the lock is still there"


def test_the_edge_keeps_the_web_acl_that_terraform_made(applied: Applied) -> None:
    (balancer,) = applied.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    acl = web_acl.of(applied.aws.client("wafv2"), balancer["LoadBalancerArn"])
    assert acl
    assert set(acl.rules) == {*web_acl.PATTERNS, web_acl.BODY}
    ((limit, window, free),) = [(rate.limit, rate.window, rate.free) for rate in acl.rates]
    assert (limit, window) == (2000, 300)
    assert "127.0.0.0/8" in free, "who may reach the API is exempt"
    assert len(free) == 2, "and so is the NAT gateway"


def test_no_add_on_changes_the_pods_of_the_application(applied: Applied) -> None:
    """The observability add-on would inject a container that `restricted` refuses, unless it is told not to."""
    eks = applied.aws.client("eks")
    names = eks.list_addons(clusterName="shop-local")["addons"]
    assert ADDON in names
    addons = [eks.describe_addon(clusterName="shop-local", addonName=name)["addon"] for name in names]
    assert [policy for addon in addons for policy in policies(addon)] == []


def test_a_second_plan_is_empty_even_after_a_restart_of_the_aws(applied: Applied) -> None:
    applied.aws.end()
    applied.aws.start()
    assert applied.terraform.plan() == NO_CHANGES


def test_every_variable_has_a_row() -> None:
    declared = re.findall(r'^variable "(\w+)"', (FOLDER / "variables.tf").read_text(), re.MULTILINE)
    assert list(ROWS) == declared
    assert set(QUICK) < set(declared)


@pytest.mark.parametrize(
    "variable", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ROWS]
)
def test_a_variable_changes_what_its_row_says_and_nothing_else(plans: dict[str, Plan], variable: str) -> None:
    row = ROWS[variable]
    changes, errors = plans[variable].result()
    assert row.refused in errors, errors
    assert row.planned - changes == set()
    assert row.partly or changes - row.planned == set()


def test_another_node_port_is_applied_while_the_listener_uses_the_old_one(applied: Applied) -> None:
    options = ("-input=false", "-no-color", "-auto-approve", "-refresh=false", *VARIABLES)
    applied.terraform.run("apply", *options, "-var=node_port=30081")
    groups = applied.aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert [group["Port"] for group in groups] == [30081]


def test_what_aws_and_people_change_by_themselves_leaves_the_plan_empty(applied: Applied) -> None:
    eks, name = applied.aws.client("eks"), "shop-local"
    eks.update_cluster_version(name=name, version="1.36")  # as AWS does at the end of standard support
    sizes = {"minSize": 1, "maxSize": 3, "desiredSize": 3}
    eks.update_nodegroup_config(clusterName=name, nodegroupName="main", scalingConfig=sizes)
    options = ("-input=false", "-no-color", "-detailed-exitcode", *VARIABLES, "-var=node_port=30081")
    done = applied.terraform.run("plan", *options, accepted=(NO_CHANGES, CHANGES))
    assert done.returncode == NO_CHANGES, done.stdout[-3000:]
    assert "EKS runs Kubernetes 1.36, which is newer than kubernetes_version" in " ".join(done.stdout.split())


def test_destroying_leaves_nothing_in_the_account(applied: Applied) -> None:
    options = ("-input=false", "-no-color", "-auto-approve", "-parallelism=30", *VARIABLES)
    applied.terraform.run("destroy", *options)
    assert contents(applied.aws) == applied.bare
    assert listed() == applied.files, "Terraform wrote into the source folder"


def test_log_groups_that_are_there_already_are_adopted(applied: Applied) -> None:
    """As EKS and its agents leave them: the next apply would be refused for creating them."""
    logs = applied.aws.client("logs")
    left = ("/aws/eks/shop-local/cluster", "/aws/containerinsights/shop-local/host")
    for name in left:
        logs.create_log_group(logGroupName=name)
    targets = ("-target=aws_cloudwatch_log_group.eks", "-target=aws_cloudwatch_log_group.containers")
    options = ("-input=false", "-no-color", "-auto-approve", *VARIABLES)
    applied.terraform.run("apply", *options, *targets)
    groups = {group["logGroupName"]: group for group in logs.describe_log_groups()["logGroups"]}
    assert [groups[name].get("retentionInDays") for name in left] == [7, 7]
    assert all(groups[name].get("kmsKeyId") for name in left)
    applied.terraform.run("destroy", *options)
    assert contents(applied.aws) == applied.bare


def test_the_lowest_supported_versions_are_those_that_are_tested() -> None:
    versions = (FOLDER / "versions.tf").read_text()
    lowest = re.findall(r'= "[>~= ]+([0-9.]+)', versions)
    documented = re.search(r"Terraform (\S+) .* provider (\S+) to", (FOLDER / "README.md").read_text())
    assert documented
    pipeline = re.search(r'TERRAFORM_VERSION: "(.*)"', (ROOT / ".gitlab-ci.yml").read_text())
    assert pipeline
    locked = re.search(r'version += "(.*)"', (FOLDER / ".terraform.lock.hcl").read_text())
    assert locked
    assert documented.groups() == (pipeline[1], locked[1])
    assert lowest[0] == pipeline[1]
    assert locked[1].startswith(lowest[1])


def test_formatting_and_every_refusal_and_condition(tmp_path: Path) -> None:
    offline = {"PATH": AwsProcess(tmp_path / "none").environment["PATH"], "HOME": str(tmp_path)}
    terraform = Terraform(tmp_path, offline)
    terraform.environment = {
        key: value for key, value in terraform.environment.items() if not key.startswith("TF_VAR_")
    }
    files = listed()
    terraform.run("fmt", "-check", "-recursive")
    terraform.run("init", "-backend=false", "-input=false", "-no-color", "-lockfile=readonly")
    terraform.run("validate", "-no-color")
    done = terraform.run("test", "-no-color")
    assert re.search(r"[1-9]\d* passed, 0 failed", done.stdout), done.stdout
    assert listed() == files, "Terraform wrote into the source folder"
