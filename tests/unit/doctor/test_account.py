"""What the account says before anything is made in it: whose it is, who administers, which zones, what is permitted."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from longshore import aws
from longshore.doctor import account, examine, permissions
from longshore.doctor.finding import found
from tests.unit.doctor.place import ACCOUNT, INSTALLED, Programs, place, wrong


@pytest.mark.usefixtures("amazon")
def test_credentials_of_another_account_are_found_and_nothing_else_is_asked(tmp_path: Path) -> None:
    findings = list(examine.examine(place(tmp_path, runner=Programs(**INSTALLED))))
    assert any(what.startswith("credentials of ") for what in wrong(findings))
    skipped = {finding.what for finding in findings if finding.do == "needs the right credentials"}
    assert skipped == {what for what, _ in examine.IN_AWS}


@pytest.mark.usefixtures("amazon")
def test_with_the_right_credentials_every_check_says_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tuple(each for each in examine.IN_AWS if each[0] != "permissions")  # moto has no simulation
    monkeypatch.setattr(examine, "IN_AWS", known)
    findings = list(examine.examine(place(tmp_path, account=ACCOUNT, runner=Programs(**INSTALLED))))
    assert not [finding for finding in findings if finding.do == "needs the right credentials"]
    assert any(finding.what.startswith("credentials of ") and finding.fine for finding in findings)
    assert all(finding.do for finding in findings if not finding.fine), "each says what to do, or why it is not known"


@pytest.mark.usefixtures("amazon")
def test_an_administrator_has_to_exist(tmp_path: Path) -> None:
    arns = [f"arn:aws:iam::{ACCOUNT}:{name}" for name in ("role/platform-admin", "user/path/ann")]
    here = place(tmp_path, account=ACCOUNT, admin_principal_arns=arns)
    assert wrong(account.administrators(here)) == [f"{arn} does not exist" for arn in arns]
    iam = aws.client(here.environment, "iam")
    iam.create_role(RoleName="platform-admin", AssumeRolePolicyDocument="{}")
    iam.create_user(UserName="ann")
    assert wrong(account.administrators(here)) == []


@pytest.mark.usefixtures("amazon")
def test_zones_and_instance_types_are_those_of_the_region(tmp_path: Path) -> None:
    assert wrong(account.zones(place(tmp_path, account=ACCOUNT))) == []
    in_two = place(tmp_path, account=ACCOUNT, zones=2, node_instance_types=["m6i.huge"])
    assert wrong(account.zones(in_two)) == ["m6i.huge in the zones eu-central-1a, eu-central-1b"]
    assert wrong(account.zones(place(tmp_path, node_instance_types=["m6i.huge"]))) == [
        "m6i.huge in the zones eu-central-1a, eu-central-1b, eu-central-1c"
    ]


@pytest.mark.usefixtures("amazon")
@pytest.mark.parametrize(("shown", "fine"), [("ab", True), ("a", False)])
def test_two_zones_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, fine: bool) -> None:
    class Ec2:
        def describe_availability_zones(self, **_: Any) -> dict[str, Any]:
            return {"AvailabilityZones": [{"ZoneName": f"us-west-1{letter}"} for letter in shown]}

    monkeypatch.setattr(aws, "client", lambda *_: Ec2())
    (row,) = account.zones(place(tmp_path, node_instance_types=[]))
    assert row.fine is fine


def test_what_aws_refuses_to_say_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = botocore.session.Session()
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-central-1"}
    sts = session.create_client("sts", **keys)  # type: ignore[call-overload]
    monkeypatch.setattr(aws, "client", lambda *_: sts)
    with Stubber(sts) as stub:
        stub.add_client_error("get_caller_identity", "AccessDenied", "not you")
        (row,) = found("permissions", permissions.check, place(tmp_path))
    assert (row.fine, row.what) == (None, "permissions")
    assert "not you" in row.do


@pytest.mark.parametrize(("decision", "fine"), [("allowed", True), ("implicitDeny", False), ("explicitDeny", False)])
def test_permissions_are_those_of_the_role_behind_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision: str, fine: bool
) -> None:
    session = botocore.session.Session()
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-central-1"}
    clients = {name: session.create_client(name, **keys) for name in ("sts", "iam")}  # type: ignore[call-overload]
    monkeypatch.setattr(aws, "client", lambda _, service: clients[service])
    role = f"arn:aws:iam::{ACCOUNT}:role/team/deployer"
    results = [{"EvalActionName": name, "EvalDecision": "allowed"} for name in permissions.ACTIONS]
    results[0]["EvalDecision"] = decision
    made = {
        "Path": "/team/",
        "RoleName": "deployer",
        "RoleId": "A" * 20,
        "CreateDate": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    }
    with Stubber(clients["sts"]) as sts, Stubber(clients["iam"]) as iam:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me"
        sts.add_response("get_caller_identity", {"Arn": arn, "Account": ACCOUNT, "UserId": "x"})
        iam.add_response("get_role", {"Role": {**made, "Arn": role}}, {"RoleName": "deployer"})
        asked = {"PolicySourceArn": role, "ActionNames": list(permissions.ACTIONS)}
        iam.add_response("simulate_principal_policy", {"EvaluationResults": results}, asked)
        (row,) = permissions.check(place(tmp_path))
    assert row.fine is fine
    assert fine or "acm:RequestCertificate" in row.do


def test_every_action_exists() -> None:
    session = botocore.session.Session()
    models = {"acm": "acm", "autoscaling": "autoscaling", "elasticloadbalancing": "elbv2"}
    others = {"budgets": {"ModifyBudget"}, "iam": {"PassRole"}}  # permissions that are no operation
    for service, name in (action.split(":") for action in permissions.ACTIONS):
        operations = {*session.get_service_model(models.get(service, service)).operation_names}
        assert name in operations | others.get(service, set()), f"{service}:{name}"
