"""The real Terraform on read-only checkouts of a snapshot, with a root of one resource. About a minute."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from longshore.errors import StateUnknown
from longshore.infra.infra import Infra
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.process.stream import Listener
from longshore.settings.load import load
from longshore.snapshot.snapshot import Snapshot
from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess

MAIN = """
variable "project" {}
variable "environment" {}
variable "topic" {}

resource "aws_sns_topic" "this" {
  name = "${var.project}-${var.topic}"
}

output "secret" {
  value     = aws_sns_topic.this.arn
  sensitive = true
}
"""
MISLEADING = {"TF_WORKSPACE": "dev", "TF_CLI_ARGS_plan": "-destroy", "TF_CLI_ARGS": "-help", "TF_DATA_DIR": "/nowhere"}
VALUES: dict[str, Any] = {
    "url": "https://shop.localhost:8443",
    "repository_url": "127.0.0.1:5001/shop/app",
    "node_port": 30080,
    "cluster_name": "shop-staging",
    "cluster_endpoint": "https://127.0.0.1:6443",
    "cluster_certificate_authority_data": "LS0t",
}


class Recorder(Runner):
    """A runner that records which of Terraform's subcommands it ran."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ)
        self.ran: list[str] = []

    def run(self, command: Command, *, on_line: Listener | None = None, check: bool = True) -> Result:
        self.ran.append(command.argv[2])
        return super().run(command, on_line=on_line, check=check)


class Project:
    """A project whose Terraform root makes one topic, called by the variables file."""

    def __init__(self, folder: Path, aws: AwsProcess) -> None:
        self.folder, self.aws, self.checkouts = folder, aws, 0
        self.runner = Recorder(aws.environment | MISLEADING)
        terraform = folder / "terraform"
        (terraform / "environments").mkdir(parents=True)
        text = (ROOT / "longshore.toml").read_text().replace('region = "eu-central-1"', f'region = "{REGION}"')
        (folder / "longshore.toml").write_text(text)
        for name in ("versions.tf", ".terraform.lock.hcl"):
            shutil.copy(ROOT / "terraform" / name, terraform)
        outputs = (f"output {name!r} {{\n  value = {value!r}\n}}\n" for name, value in VALUES.items())
        (terraform / "main.tf").write_text(MAIN + "\n".join(outputs).replace("'", '"'))
        self.name_topic("first")

    def name_topic(self, name: str) -> None:
        (self.folder / "terraform/environments/staging.tfvars").write_text(f'topic = "{name}"\n')

    def checkout(self) -> Path:
        self.checkouts += 1
        folder = self.folder / f"checkout-{self.checkouts}"
        shutil.copytree(self.folder / "terraform", folder / "terraform")
        return folder

    def infra(self) -> Infra:
        """The infrastructure as another run sees it, with a checkout of its own."""
        files = [path for path in (self.folder / "terraform").rglob("*") if path.is_file()]
        entries = {str(path.relative_to(self.folder)): path.read_text() for path in files}
        snapshot = Snapshot(commit="a", revision="a", dirty=False, entries=entries, checkout=self.checkout)
        settings = load(self.folder, self.aws.environment)
        environment = msgspec.structs.replace(
            settings.environment("staging"), account=ACCOUNT, approve="auto", protected=False
        )
        return Infra(settings, environment, self.runner, lambda: snapshot)

    def topics(self) -> list[str]:
        topics = self.aws.client("sns").list_topics()["Topics"]
        return [topic["TopicArn"].rpartition(":")[2] for topic in topics]


def progress(*report: object) -> None:
    pass


@pytest.fixture(autouse=True)
def shell(aws: AwsProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell says where AWS is: to Terraform, and to the clients in this process."""
    for name, value in aws.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def test_runs_share_state_and_plan_while_each_has_its_own_checkout(tmp_path: Path, aws: AwsProcess) -> None:
    project = Project(tmp_path, aws)
    applied = project.infra().bring_up(progress)
    assert project.runner.ran == ["init", "plan", "show", "apply"], "the outputs are among the events"
    assert (applied.note, applied.outputs.values) == ("1 resources changed", VALUES)
    assert project.topics() == ["shop-first"]

    assert project.infra().remembered()
    assert project.infra().outputs() == applied.outputs
    assert project.checkouts == 1, "what is remembered needs no checkout"

    shutil.rmtree(tmp_path / "checkout-1")
    project.name_topic("second")
    assert not project.infra().remembered()
    assert [change.action for change in project.infra().review(progress).changes] == ["replace"]
    assert project.infra().apply(progress).note == "1 resources changed"
    assert project.topics() == ["shop-second"]

    infra = project.infra()
    infra.memory.forget("infra")
    assert infra.outputs().values == VALUES
    assert infra.bring_up(progress).note == "no changes"
    assert infra.destroy(progress, confirm="staging") == "1 resources destroyed"
    assert project.topics() == []

    sources = sorted(path.name for path in (tmp_path / "terraform").rglob("*"))
    for number in range(2, project.checkouts + 1):
        files = sorted(path.name for path in (tmp_path / f"checkout-{number}" / "terraform").rglob("*"))
        assert files == sources, "Terraform wrote into a checkout"


def test_what_aws_has_already_is_named_and_can_be_taken_over(tmp_path: Path, aws: AwsProcess) -> None:
    project, kms = Project(tmp_path, aws), aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/theirs", TargetKeyId=key)  # by hand, or by an apply that lost the answer
    alias = tmp_path / "terraform" / "alias.tf"
    alias.write_text(f'resource "aws_kms_alias" "a" {{\n  name = "alias/theirs"\n  target_key_id = "{key}"\n}}\n')
    with pytest.raises(StateUnknown, match="stopped after 1 of 2 changes") as stopped:
        project.infra().bring_up(progress)
    assert stopped.value.hint.startswith("AWS has aws_kms_alias.a already")
    alias.write_text(alias.read_text() + 'import {\n  to = aws_kms_alias.a\n  id = "alias/theirs"\n}\n')
    (change,) = project.infra().review(progress).changes
    assert (change.action, change.address) == ("import", "aws_kms_alias.a")
    project.infra().apply(progress)
    assert project.infra().review(progress).changes == []
    project.infra().destroy(progress, confirm="staging")
