"""Terraform's command lines: what holds for all of them, found by inspection, and what is special to one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore.commands import terraform
from longshore.process.command import Command, Kind, Secret

FOLDER, PLAN = Path("/p/terraform"), Path("/p/plan")
ENV = {"AWS_SECRET_ACCESS_KEY": Secret("hunter2"), "TF_IN_AUTOMATION": "1"}
ARGUMENTS = {
    "folder": FOLDER,
    "env": ENV,
    "backend": {"bucket": "b"},
    "variables_files": (Path("/p/local.tfvars"), Path("/p/last")),
    "out": PLAN,
    "plan_file": PLAN,
    "lock": "0d5a1f7c",
    "variables": {"profile": "small"},
}
FUNCTIONS = {
    name: function
    for name, function in inspect.getmembers(terraform, inspect.isfunction)
    if function.__module__ == terraform.__name__ and not name.startswith("_")
}
# All other subcommands read.
CHANGES = {"apply", "destroy", "force-unlock", "import", "refresh", "taint", "untaint"}
LONG = {"plan", "apply"}  # those that hold the state's lock
OFFLINE = {"fmt"}  # needs neither providers nor credentials


@pytest.fixture(params=FUNCTIONS)
def command(request: pytest.FixtureRequest) -> Command:
    function: Callable[..., Command] = FUNCTIONS[request.param]
    wanted = inspect.signature(function).parameters.values()
    arguments: dict[str, Any] = {
        parameter.name: ARGUMENTS[parameter.name] for parameter in wanted if parameter.default is parameter.empty
    }
    return function(**arguments)


def test_a_command_names_terraform_and_the_folder(command: Command) -> None:
    assert command.argv[:2] == ("terraform", "-chdir=/p/terraform")
    assert command.cwd is None


def test_credentials_are_in_the_environment_alone(command: Command) -> None:
    assert "hunter2" not in command.text
    assert command.env == ({} if command.argv[2] in OFFLINE else ENV)


def test_a_change_is_a_change_and_all_else_a_query(command: Command) -> None:
    subcommand = command.argv[2]
    assert subcommand != "state" or command.argv[3] in {"list", "show", "pull"}
    assert command.kind is (Kind.CHANGE if subcommand in CHANGES else Kind.QUERY)


def test_what_holds_the_lock_of_the_state_outlives_us_and_has_time_to_release_it(command: Command) -> None:
    long = command.argv[2] in LONG
    assert command.survives is long
    assert (command.grace >= 30) is long


def test_no_command_asks_a_question_or_waits_for_ever(command: Command) -> None:
    if command.argv[2] in {"init", "plan", "apply"}:
        assert "-input=false" in command.argv
    if command.argv[2] in LONG:
        assert "-lock-timeout=30s" in command.argv
    assert command.deadline < 2 * 3600


def test_no_log_keeps_a_plan_in_clear_text(command: Command) -> None:
    assert command.private is (command.argv[2] in ("show", "test"))


def test_apply_uses_the_saved_plan_and_no_variables() -> None:
    command = terraform.apply(FOLDER, {}, PLAN)
    assert command.argv[-1] == "/p/plan"
    assert not any(word.startswith("-var") or word == "-auto-approve" for word in command.argv)


def test_init_never_changes_the_lock_file() -> None:
    assert "-lockfile=readonly" in terraform.init(FOLDER, {}, {"bucket": "b"}).argv
    assert "-lockfile=readonly" in terraform.init(FOLDER, {}).argv
    assert "-backend=false" in terraform.init(FOLDER, {}).argv
    assert "-backend-config=bucket=b" in terraform.init(FOLDER, {}, {"bucket": "b"}).argv


def test_a_plan_reports_changes_by_its_exit_code_and_reads_the_variables_files_in_order() -> None:
    argv = terraform.plan(FOLDER, {}, (Path("/p/local.tfvars"), Path("/p/last")), PLAN).argv
    assert "-detailed-exitcode" in argv
    assert [word for word in argv if word.startswith("-var")] == ["-var-file=/p/local.tfvars", "-var-file=/p/last"]
    assert "-destroy" not in argv
    assert "-lock=false" in terraform.plan(FOLDER, {}, (), PLAN, lock=False).argv
    assert "-destroy" in terraform.plan(FOLDER, {}, (), PLAN, destroy=True).argv
    limited = terraform.plan(FOLDER, {}, (), PLAN, targets=("aws_eip.a", "aws_eip.b")).argv
    assert limited[-2:] == ("-target=aws_eip.a", "-target=aws_eip.b")
