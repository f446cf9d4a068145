"""Terraform's argv."""

from __future__ import annotations

from pathlib import Path

from longshore.command import Kind
from longshore.commands import terraform

ROOT = Path("/p/terraform")


def test_apply_uses_the_saved_plan_and_no_variables() -> None:
    command = terraform.apply(ROOT, {}, Path("/p/plan"))
    assert command.argv[-1] == "/p/plan"
    assert not any(word.startswith("-var") or word == "-auto-approve" for word in command.argv)
    assert command.kind is Kind.CHANGE


def test_init_never_changes_the_lock_file() -> None:
    assert "-lockfile=readonly" in terraform.init(ROOT, {}, {"bucket": "b"}).argv
    assert "-backend-config=bucket=b" in terraform.init(ROOT, {}, {"bucket": "b"}).argv


def test_a_plan_tells_changes_by_its_exit_code() -> None:
    command = terraform.plan(ROOT, {}, (Path("/p/local.tfvars"), Path("/p/last")), Path("/p/plan"))
    assert "-detailed-exitcode" in command.argv
    assert [word for word in command.argv if word.startswith("-var")] == [
        "-var-file=/p/local.tfvars",
        "-var-file=/p/last",
    ]
    assert command.kind is Kind.QUERY


def test_terraform_has_time_to_leave_its_lock() -> None:
    assert terraform.apply(ROOT, {}, Path("/p/plan")).grace >= 30
