"""Only what was reviewed is applied: stale and false plans, with the real Terraform and its state in S3."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet

from tests.e2e.project import git
from tests.e2e.reviewed import LATENCY, SOMEBODY, Reviewed, lock_of


def commit(plan: Reviewed) -> None:
    git(plan.project.folder, "commit", "-q", "--allow-empty", "-m", "Change nothing")


def append(path: str) -> Callable[[Reviewed], None]:
    def work(plan: Reviewed) -> None:
        with (plan.project.folder / path).open("a") as file:
            file.write("\n# a word\n")

    return work


def damage(plan: Reviewed) -> None:
    data = bytearray((plan.folder / "plan.tfplan").read_bytes())
    data[len(data) // 2] ^= 1
    (plan.folder / "plan.tfplan").write_bytes(data)


STALE = {
    "another commit": (commit, {}, "it was made at the commit"),
    "another environment": (lambda plan: plan.noted("environment", "production"), {}, "it was made for production"),
    "another account": (
        lambda plan: plan.noted("account", "999999999999"),
        {},
        "it was made for the account 999999999999",
    ),
    "a changed variable": (lambda plan: None, {LATENCY: "5"}, "the variables have changed"),
    "a changed variables file": (append("terraform/environments/local.tfvars"), {}, "the variables have changed"),
    "a changed source": (append("terraform/vpc.tf"), {}, "the files in terraform/ have changed"),
    "other providers": (append("terraform/.terraform.lock.hcl"), {}, "the lock file names other providers"),
    "a changed state": (lambda plan: plan.noted("serial", 1), {}, "the state has changed since (serial 1, now"),
    "another state": (lambda plan: plan.noted("lineage", "x"), {}, "the state is a different one"),
    "a damaged plan": (damage, {}, "the plan file is not the one that was saved"),
    "an old plan": (lambda plan: plan.noted("until", time.time() - 1), {}, "it is more than a day old"),
    "a plan of an older Longshore": (
        lambda plan: (plan.folder / "plan.json").write_text('{"fingerprint": "x"}'),
        {},
        "there is no saved plan",
    ),
    "no plan": (lambda plan: (plan.folder / "plan.tfplan").unlink(), {}, "there is no saved plan"),
    "wrong credentials": (
        lambda plan: None,
        {"ACCOUNT": '"999999999999"'},
        "the credentials belong to account 123456789012",
    ),
}


# Ten seconds each; they are compared in the same way as the others.
ALIKE = ("another account", "a changed variables file", "another state", "an old plan", "a plan of an older Longshore")


@pytest.mark.parametrize("why", [pytest.param(why, marks=pytest.mark.slow if why in ALIKE else ()) for why in STALE])
def test_a_stale_plan_is_refused_and_nothing_is_changed(plan: Reviewed, why: str) -> None:
    spoil, environ, words = STALE[why]
    before, head = plan.state()["serial"], git(plan.project.folder, "rev-parse", "HEAD")
    spoil(plan)
    ran = plan.apply(**{plan.project.key(name): value for name, value in environ.items()})
    git(plan.project.folder, "reset", "-q", "--soft", head)
    assert ran.exit_code == 3, ran.err
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert plan.state()["serial"] == before


def test_a_held_lock_names_its_holder_and_is_released_only_by_its_exact_id(plan: Reviewed) -> None:
    s3, lock = plan.project.client("s3"), lock_of(plan.project)
    s3.put_object(**lock, Body=json.dumps(SOMEBODY).encode())
    command = ("infra.plan", "-e", plan.project.name, "--json")
    ran = plan.project.invoke(*command, check=False, **plan.environ)
    assert ran.exit_code == 4, ran.err
    assert "is locked by somebody@laptop since 2026-11-25 10:00:00 (terraform apply)" in ran.err
    assert f"infra.unlock {SOMEBODY['ID']}" in ran.err
    wrong = plan.project.invoke("infra.unlock", "0d5a1f7c", "-e", plan.project.name, check=False)
    assert wrong.exit_code == 2, wrong.err
    assert s3.head_object(**lock)
    right = plan.project.invoke("infra.unlock", SOMEBODY["ID"], "-e", plan.project.name, check=False)
    assert right.exit_code == 0, right.err
    assert plan.project.invoke(*command, **plan.environ).data["changes"]


def test_a_plan_that_leaves_the_machine_is_encrypted_and_opens_only_with_its_key(plan: Reviewed) -> None:
    sealed = {"LONGSHORE_PLAN_KEY": Fernet.generate_key().decode()}
    plan.project.invoke("infra.plan", "-e", plan.project.name, **plan.environ, **sealed)
    assert (plan.folder / "plan.tfplan").read_bytes().startswith(b"gAAAA")
    other = plan.apply(LONGSHORE_PLAN_KEY=Fernet.generate_key().decode())
    assert other.exit_code == 3, other.err
    assert "made with another key" in other.err
    shutil.rmtree(plan.folder / "terraform")  # as in a separate job, which has only the plan
    ran = plan.apply(**sealed)
    assert ran.exit_code == 0, ran.err
    assert not list(plan.folder.glob("*.tfplan"))
    back = plan.project.deploy("--skip-checks")
    assert "infra" in back.data["ran"]


def test_what_cannot_be_restored_is_destroyed_only_if_its_address_is_given(plan: Reviewed) -> None:
    changed = {plan.project.key("VARIABLES__VPC_CIDR"): '"10.50.0.0/16"'}
    changes = plan.project.invoke("infra.plan", "-e", plan.project.name, "--json", **changed).data["changes"]
    vpc = next(change for change in changes if change["address"] == "aws_vpc.this")
    assert (vpc["action"], vpc["why"]) == ("replace", "cidr_block")
    ran = plan.project.invoke(
        "infra.apply", "-e", plan.project.name, "--destroys", "aws_vpc.other", check=False, **changed
    )
    assert ran.exit_code == 3, ran.err
    assert "--destroys aws_vpc.this" in ran.out + ran.err


def test_drift_and_pending_changes_are_told_apart_by_resource_and_attribute(plan: Reviewed) -> None:
    command = ("infra.drift", "-e", plan.project.name, "--json")
    assert plan.project.invoke(*command).exit_code == 0
    pending = plan.project.invoke(*command, check=False, **plan.environ)
    assert (pending.exit_code, pending.data["drift"]) == (3, [])
    assert pending.data["pending"]
    logs = plan.project.client("logs")
    group = next(group for group in logs.describe_log_groups()["logGroups"] if group.get("retentionInDays") == 7)
    logs.put_retention_policy(logGroupName=group["logGroupName"], retentionInDays=30)
    try:
        drifted = plan.project.invoke(*command, check=False)
        assert drifted.exit_code == 5, drifted.err
        assert ["retention_in_days: 7 → 30"] in [change["details"] for change in drifted.data["drift"]]
    finally:
        logs.put_retention_policy(logGroupName=group["logGroupName"], retentionInDays=7)
