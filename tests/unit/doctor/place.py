"""An environment in AWS that is fine, and what a doctor finds of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from longshore.doctor.finding import Finding, Place
from longshore.errors import CommandFailed
from longshore.process.command import Command
from longshore.process.runner import Listener, Result, Runner
from longshore.settings.load import load
from tests.unit.infra.given import KEYS

ROOT = Path(__file__).parents[3]
ACCOUNT = "123456789012"  # moto's
GOOD = {
    "allowed_account_ids": ["999999999999"],
    "region": "eu-central-1",
    "domain_name": "shop.acme.io",
    "gitlab_project_path": "acme/shop",
    "admin_principal_arns": ["arn:aws:iam::999999999999:role/platform-admin"],
    "alarm_email": "oncall@acme.io",
    "api_allowed_cidrs": ["8.8.8.0/24"],
    "kubernetes_version": "1.35",
    "node_instance_types": ["m6i.large"],
    "node_max_size": 6,
}
INSTALLED = {
    "git": "git version 2.39.5\n",
    "docker": "28.1\n",
    "terraform": '{"terraform_version": "1.11.4"}',
    "kubectl": '{"clientVersion": {"gitVersion": "v1.34.1"}}',
}


class Programs(Runner):
    """Programs that print what a table says for the first words of their command line, and fail without an entry."""

    def __init__(self, **answers: str) -> None:
        super().__init__({})
        self.answers = answers

    def run(self, command: Command, *, on_line: Listener | None = None, check: bool = True) -> Result:
        text = self.answers.get("_".join(command.argv[:2])) or self.answers.get(command.argv[0])
        if text is None and check:
            raise CommandFailed(command.program, 127)
        if text is None:
            return Result(exit_code=127, raw=b"", tail="", seconds=0, log=None)
        return Result(exit_code=0, raw=text.encode(), tail=text, seconds=0, log=None)


def place(tmp_path: Path, account: str = "999999999999", runner: Runner | None = None, **values: Any) -> Place:
    (tmp_path / "longshore.toml").write_text((ROOT / "tests/data/longshore.toml").read_text(encoding="utf-8"))
    environment = load(tmp_path, {"HOME": str(tmp_path)}).environment("production")
    environment = msgspec.structs.replace(environment, account=account, aws_env=dict(KEYS), resolvers=["127.0.0.1:1"])
    return Place(project="shop", environment=environment, variables={**GOOD, **values}, runner=runner or Programs())


def wrong(findings: list[Finding] | Iterator[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.fine is False]
