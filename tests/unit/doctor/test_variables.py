"""The variables of an environment in AWS: what is the example's, and what does not fit together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from longshore.doctor import variables
from longshore.errors import BadInput
from longshore.process.command import Command
from longshore.process.runner import Listener, Result
from tests.unit.doctor.place import Programs, place, wrong


def test_ones_own_values_are_fine(tmp_path: Path) -> None:
    assert wrong(variables.check(place(tmp_path))) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_account_ids", None),
        ("allowed_account_ids", ["888888888888"]),
        ("region", "eu-west-1"),
        ("domain_name", "shop.example.com"),
        ("domain_name", "shop.test"),
        ("gitlab_project_path", "example/shop"),
        ("admin_principal_arns", []),
        ("admin_principal_arns", ["arn:aws:iam::222222222222:role/platform-admin"]),
        ("alarm_email", "oncall@example.com"),
        ("api_allowed_cidrs", ["8.8.8.0/24", "198.51.100.7/32"]),
    ],
)
def test_a_value_of_the_example_or_of_another_account_is_found(tmp_path: Path, name: str, value: object) -> None:
    assert len(wrong(variables.check(place(tmp_path, **{name: value})))) == 1


@pytest.mark.parametrize(("pipeline", "fine"), [("acme/shop", True), ("", True), ("acme/other", False)])
def test_the_pipeline_and_the_roles_are_of_one_project(tmp_path: Path, pipeline: str, fine: bool) -> None:
    here = msgspec.structs.replace(place(tmp_path), gitlab=pipeline)
    assert (wrong(variables.check(here)) == []) is fine


@pytest.mark.parametrize("number", [*variables.ACCOUNTS, ""])
def test_an_example_is_no_account(tmp_path: Path, number: str) -> None:
    assert any(what.startswith("account ") for what in wrong(variables.check(place(tmp_path, account=number))))


def test_variables_are_read_with_terraforms_own_rules(tmp_path: Path) -> None:
    (tmp_path / "variables.tf").write_text("")
    shown: dict[str, Any] = {"variables": {"domain_name": {"value": "shop.acme.io"}, "zones": {}}}
    read = []

    class Terraform(Programs):
        def run(self, command: Command, *, on_line: Listener | None = None, check: bool = True) -> Result:
            folder = Path(next(word for word in command.argv if word.startswith("-chdir=")).removeprefix("-chdir="))
            read.append({file.name for file in folder.glob("*.tf")})
            changes = 2 if "planned_values" in shown and "plan" in command.argv else 0  # of outputs
            return Result(exit_code=changes, raw=json.dumps(shown).encode(), tail="", seconds=0, log=None)

    values = variables.read(tmp_path, (tmp_path / "production.tfvars",), Terraform())
    assert values == {"domain_name": "shop.acme.io", "zones": None}
    assert read[0] == {"variables.tf"}
    # With profiles, a variable that is not set has its profile's value.
    (tmp_path / "profiles.tf").write_text("")
    shown["planned_values"] = {"outputs": {"shape": {"value": {"zones": 2}}}}
    values = variables.read(tmp_path, (tmp_path / "production.tfvars",), Terraform())
    assert values == {"domain_name": "shop.acme.io", "zones": 2}
    assert read[-1] == {"variables.tf", "profiles.tf", "shape.tf"}
    with pytest.raises(BadInput, match=re.escape("does not accept the variables in production.tfvars")):
        variables.read(tmp_path, (tmp_path / "production.tfvars",), Programs())
