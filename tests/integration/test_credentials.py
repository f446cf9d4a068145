"""Every way of getting AWS credentials works for our clients, Terraform, kubectl and the bucket of results alike."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from longshore.errors import Precondition
from longshore.infra.state_bucket import StateBucket
from longshore.kubernetes import kubeconfig
from longshore.kubernetes.kubeconfig import Endpoint
from longshore.pipeline import identity
from longshore.process.command import query
from longshore.process.redaction import Redactor
from longshore.process.runner import Runner
from longshore.settings.load import load
from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess
from tests.integration.ways_in import WAYS, Desk, Way, shell

SETTINGS = """
[project]
name = "shop"
[environments.blue]
account = "{account}"
region = "{region}"
[environments.blue.variables]
caller = "{caller}"
[steps.count]
run = ["sh", "-c", "cat src.txt > counted.xml"]
reads = ["src.txt"]
reports = ["counted.xml"]
group = "lint"
[cache]
remote = "s3://results/{folder}"
account = "{account}"
region = "{region}"
write = "always"
"""
# What Terraform's own provider is, and where.
SOURCES = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
variable "project" {}
variable "environment" {}
variable "caller" {}
variable "region" {
  default = "eu-central-1"
}
provider "aws" {
  region = var.region
}
data "aws_caller_identity" "this" {}
output "caller" {
  value = data.aws_caller_identity.this.arn
  precondition {
    condition     = data.aws_caller_identity.this.arn == var.caller
    error_message = "Terraform is ${data.aws_caller_identity.this.arn}."
  }
}
data "aws_region" "this" {}
output "region" {
  value = data.aws_region.this.name
  precondition {
    condition     = data.aws_region.this.name == "@"
    error_message = "Terraform is in ${data.aws_region.this.name}."
  }
}
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    aws = AwsProcess(tmp_path_factory.mktemp("aws") / "state")
    aws.start()
    region = {"LocationConstraint": REGION}
    for bucket in ("results", f"shop-terraform-state-{ACCOUNT}"):
        aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
    ec2 = aws.client("ec2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]  # the default VPC's
    role = aws.client("iam").create_role(RoleName="cluster", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    aws.client("eks").create_cluster(
        name="shop-blue",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API"},
    )
    with Desk(aws) as desk:
        desk.make_role()
        yield desk
        desk.shutdown()
    aws.end(kill=True)


@pytest.fixture(scope="module")
def api(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(desk.aws, tmp_path_factory.mktemp("api")) as api:
        yield api
        api.shutdown()


class Project:
    """A checkout whose environment `blue` is in AWS, and the shell of somebody who got credentials by WAY."""

    def __init__(self, desk: Desk, folder: Path, way: str) -> None:
        self.desk, self.folder, home = desk, folder / "shop", folder / "home"
        home.mkdir()
        variables, self.caller = WAYS[way](Way(desk, home))
        self.environ = shell(desk.aws, home) | {"PYTHONPATH": str(ROOT)} | variables
        if "TF_CLI_CONFIG_FILE" in os.environ:
            self.environ["TF_CLI_CONFIG_FILE"] = os.environ["TF_CLI_CONFIG_FILE"]
        files = {"main.tf": SOURCES.replace("@", REGION), "environments/blue.tfvars": ""}
        (self.folder / "terraform" / "environments").mkdir(parents=True)
        (self.folder / "application").mkdir()
        (self.folder / "Dockerfile").touch()
        for name, text in files.items():
            (self.folder / "terraform" / name).write_text(text)
        shutil.copy2(ROOT / "terraform" / ".terraform.lock.hcl", self.folder / "terraform")
        self.results = way.replace(" ", "-").replace("'", "")
        self.settings = SETTINGS.format(account=ACCOUNT, region=REGION, caller=self.caller, folder=self.results)
        (self.folder / "longshore.toml").write_text(self.settings)
        (self.folder / "tasks.py").write_text((ROOT / "tasks.py").read_text())
        (self.folder / "src.txt").write_text("one\n")
        (self.folder / ".gitignore").write_text("/.longshore/\ncounted.xml\n")
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
            subprocess.run(["git", *who, *words], cwd=self.folder, check=True)

    def invoke(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "invoke", *words]
        return subprocess.run(
            argv, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False, timeout=120
        )

    def change(self, old: str, new: str) -> None:
        """Replace OLD by NEW in the settings, the first time that it is there."""
        assert old in self.settings
        (self.folder / "longshore.toml").write_text(self.settings.replace(old, new, 1))

    def kubectl_as(self, api: Desk) -> str:
        """Have the real kubectl ask an API server; return whom the webhook of the cluster takes its token for."""
        environ, redactor = dict(self.environ), Redactor()
        token = identity.take_on(environ, redactor)  # as each command does
        settings = load(self.folder, environ)
        authority = base64.b64encode(api.authority.read_bytes()).decode()
        endpoint = Endpoint(name="shop-blue", server=api.url, authority=authority)
        cluster = kubeconfig.eks(settings.environment("blue"), endpoint, self.folder / ".longshore", "kubectl")
        runner = Runner(environ, log_dir=self.folder / ".longshore" / "logs")
        runner.run(query(*cluster.prefix, "get", "--raw=/version", env=cluster.env))
        if token:
            token.cleanup()
        body = json.dumps({"spec": {"token": api.bearers[-1].removeprefix("Bearer ")}}).encode()
        return json.dumps(self.desk.aws.ask("/_local/authenticate", "POST", body)["status"])


@pytest.mark.parametrize("way", WAYS)
def test_a_way_in_leads_clients_terraform_kubectl_and_results_to_one_identity(
    desk: Desk, api: Desk, tmp_path: Path, way: str
) -> None:
    project = Project(desk, tmp_path, way)
    plan = project.invoke("infra.plan", "-e", "blue", "--json")
    assert plan.returncode == 0, plan.stdout + plan.stderr
    report = json.loads((project.folder / ".longshore/report/report.json").read_text())
    ignored = report["facts"].get("credentials", "")
    assert ignored == json.loads(plan.stdout).get("credentials", "")
    if way == "role beside key and profile":
        assert "so these do not count: AWS_ACCESS_KEY_ID" in ignored
        assert f"warning: {ignored}" in plan.stderr
    else:
        assert not ignored
    lint = project.invoke("lint", "--keep-going")
    kept = desk.aws.client("s3").list_objects_v2(Bucket="results", Prefix=f"{project.results}/")
    assert kept["KeyCount"] > 0, lint.stdout + lint.stderr
    assert project.caller in project.kubectl_as(api)


def test_the_first_command_takes_a_session_token(desk: Desk, tmp_path: Path) -> None:
    bootstrap = Project(desk, tmp_path, "keys with a session token").invoke("infra.bootstrap", "-e", "blue")
    assert bootstrap.returncode == 0, bootstrap.stdout + bootstrap.stderr


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SESSION_TOKEN": "of-somebody-else"}, "(InvalidClientTokenId)"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
    ],
)
def test_credentials_that_do_not_work_are_missing_and_named(
    desk: Desk, tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    project = Project(desk, tmp_path, "environment keys")
    project.environ |= environ
    ran = project.invoke("infra.plan", "-e", "blue")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert words in ran.stdout


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        ("eu-west-9", "AWS has no region called 'eu-west-9'"),
        ("eu-centrl-1", "AWS has no region called 'eu-centrl-1'"),
        ("Ireland", "environments.blue.region is 'Ireland', not a region of AWS, such as eu-central-1"),
    ],
)
def test_a_region_that_aws_does_not_have_is_bad_input(desk: Desk, tmp_path: Path, region: str, sentence: str) -> None:
    project = Project(desk, tmp_path, "environment keys")
    project.change(f'region = "{REGION}"', f'region = "{region}"')
    ran = project.invoke("infra.bootstrap", "-e", "blue")
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert sentence in ran.stdout


def test_a_bucket_of_the_right_name_in_another_account_is_not_used(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is first has the name: here, the account of these credentials has that of another's bucket."""
    other = "999999999999"
    named = f"shop-terraform-state-{other}"
    region = {"LocationConstraint": REGION}
    desk.aws.client("s3").create_bucket(Bucket=named, CreateBucketConfiguration=region)
    project = Project(desk, tmp_path, "environment keys")
    settings = load(project.folder, project.environ)
    environment = structs.replace(settings.environment("blue"), account=other)
    monkeypatch.setenv("AWS_ENDPOINT_URL", desk.aws.url)  # botocore reads it by itself
    for ask in (StateBucket(environment, "shop").require, StateBucket(environment, "shop").head):
        with pytest.raises(Precondition, match=f"is not {other}'s|AccessDenied"):
            ask()

    project.change(f'account = "{ACCOUNT}"\nregion = "{REGION}"\nwrite', f'account = "{other}"\nwrite')
    ran = project.invoke("lint", "--keep-going")
    assert f"ignoring the shared cache s3://results/{project.results}: " in ran.stdout
    assert "AccessDenied" in ran.stdout
