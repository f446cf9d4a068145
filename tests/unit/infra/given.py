"""An infrastructure of one environment, and a Terraform that answers from a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from longshore import aws
from longshore.errors import CommandFailed
from longshore.infra.infra import Infra
from longshore.process.command import Command
from longshore.process.runner import Listener, Result, Runner
from longshore.settings.load import load
from longshore.snapshot.snapshot import Snapshot
from tests.unit.infra.outputs import VALUES

SETTINGS = Path(__file__).parents[2] / "data" / "longshore.toml"
ENTRIES = {
    "terraform/vpc.tf": "100644 a",
    "terraform/.terraform.lock.hcl": "100644 b",
    "terraform/environments/local.tfvars": "100644 c",
    "terraform/environments/staging.tfvars": "100644 d",
    "terraform/README.md": "100644 e",
}
KEYS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto"}
PRINTED = {name: {"sensitive": False, "type": "string", "value": value} for name, value in VALUES.items()}
CHANGES = {"resource_changes": [{"address": "aws_eip.a", "type": "aws_eip", "change": {"actions": ["create"]}}]}


def event(kind: str, **more: object) -> str:
    return json.dumps({"type": kind, **more})


def error(message: str) -> str:
    return event("diagnostic", **{"@level": "error", "@message": message})


LOST = error("Error: Error releasing the state lock")
DONE = event("outputs", outputs=PRINTED)


class Terraform(Runner):
    """A Terraform whose commands end with an exit code and print lines; unknown ones end with 0 and print nothing."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        super().__init__({})
        self.answers = {"show": (0, json.dumps(CHANGES))} | answers
        self.commands: list[Command] = []

    def run(self, command: Command, *, on_line: Listener | None = None, check: bool = True) -> Result:
        self.commands.append(command)
        code, text = self.answers.get(command.argv[2], (0, ""))
        for line in text.splitlines() if on_line else ():
            on_line(line)
        if check and code:
            raise CommandFailed("terraform", code, tail=text)
        return Result(exit_code=code, raw=text.encode(), tail=text, seconds=0, log=None)

    @property
    def names(self) -> list[str]:
        return [command.argv[2] for command in self.commands]


def snapshot(checkout: Callable[[], Path], **changed: str) -> Snapshot:
    return Snapshot(commit="a" * 40, revision="a" * 12, dirty=False, entries=ENTRIES | changed, checkout=checkout)


def infra(folder: Path, runner: Runner | None = None, name: str = "local", approve: str = "auto") -> Infra:
    (folder / "longshore.toml").write_text(SETTINGS.read_text())
    settings = load(folder, {"HOME": str(folder)})
    environment = msgspec.structs.replace(
        settings.environment(name), account="123456789012", aws_env=dict(KEYS), approve=approve
    )
    for file in ENTRIES:
        (folder / "checkout" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "checkout" / file).touch()
    return Infra(settings, environment, runner or Terraform(), lambda: snapshot(lambda: folder / "checkout"))


def store(here: Infra, outputs: dict[str, Any] | None = None, **more: Any) -> None:
    """Leave a state with OUTPUTS in HERE's bucket, as an apply does."""
    here.bucket.ensure()
    state = {"lineage": "x", "serial": 3, "outputs": PRINTED if outputs is None else outputs, **more}
    aws.client(here.environment, "s3").put_object(Bucket=here.bucket.name, Key=here.bucket.key, Body=json.dumps(state))


def progress(*report: object) -> None:
    pass
