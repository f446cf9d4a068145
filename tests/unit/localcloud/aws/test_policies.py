from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.aws.policies import Request, Verdict, trusts, verdict

OBJECT = "arn:aws:s3:::state/production/terraform.tfstate"
ALLOWED, DENIED, NOT_ALLOWED = Verdict.ALLOWED, Verdict.DENIED, Verdict.NOT_ALLOWED


def document(effect: str = "Allow", **statement: Any) -> str:
    whole = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*"} | statement
    return json.dumps({"Version": "2012-10-17", "Statement": {name: value for name, value in whole.items() if value}})


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({}, ALLOWED),
        ({"Action": "S3:getobject"}, ALLOWED),
        ({"Action": ["ec2:*", "s3:Get?bject"]}, ALLOWED),
        ({"Action": "s3:Get"}, NOT_ALLOWED),
        ({"Action": "s3.GetObject"}, NOT_ALLOWED),
        ({"Action": "", "NotAction": "iam:*"}, ALLOWED),
        ({"Action": "", "NotAction": "s3:*"}, NOT_ALLOWED),
        ({"Resource": "arn:aws:s3:::state/*"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::STATE/*"}, NOT_ALLOWED),
        ({"Resource": "arn:aws:s3:::other/*"}, NOT_ALLOWED),
        ({"Resource": "", "NotResource": "arn:aws:s3:::other/*"}, ALLOWED),
        ({"Resource": "", "NotResource": "arn:aws:s3:::state/*"}, NOT_ALLOWED),
        ({"Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-central-1"]}}}, ALLOWED),
        ({"Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}, NOT_ALLOWED),
        ({"Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}}, ALLOWED),
        ({"Condition": {"StringLike": {"aws:requestedregion": "eu-*"}}}, ALLOWED),
        ({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "shop"}}}, NOT_ALLOWED),
        ({"Condition": {"IpAddress": {"aws:RequestedRegion": "10.0.0.0/8"}}}, NOT_ALLOWED),
        ({"Resource": "arn:aws:s3:::${aws:username}/*"}, NOT_ALLOWED),
    ],
)
def test_an_allow_holds_where_all_of_it_is_known_to_match(statement: dict[str, Any], expected: Verdict) -> None:
    request = Request("s3:GetObject", OBJECT, {"aws:requestedregion": "eu-central-1"})
    assert verdict([document(**statement)], request) is expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({}, DENIED),
        ({"Resource": "arn:aws:s3:::other/*"}, ALLOWED),
        ({"Resource": "", "NotResource": OBJECT}, ALLOWED),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, ALLOWED),
        ({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "shop"}}}, DENIED),
        ({"Condition": {"DateLessThan": {"aws:SecureTransport": "2026-01-01"}}}, DENIED),
    ],
)
def test_a_deny_holds_unless_it_is_known_not_to_match(statement: dict[str, Any], expected: Verdict) -> None:
    request = Request("s3:GetObject", OBJECT, {"aws:securetransport": "true"})
    assert verdict([document(), document("Deny", **statement)], request) is expected


def test_a_resource_that_is_not_told_is_only_allowed_by_all_and_denied_by_any() -> None:
    asked = Request("s3:GetObject")
    assert verdict([document(Resource=["arn:aws:s3:::state/*"])], asked) is NOT_ALLOWED
    assert verdict([document()], asked) is ALLOWED
    assert verdict([document(), document("Deny", Resource="arn:aws:s3:::state/*")], asked) is DENIED


def test_a_trust_policy_needs_the_principal_and_the_condition() -> None:
    text = document(
        Action="sts:AssumeRoleWithWebIdentity",
        Resource="",
        Principal={"Federated": "provider"},
        Condition={"StringLike": {"gitlab.com:sub": "project_path:example/shop:ref_type:branch:ref:*"}},
    )

    def trusted(principal: str, subject: str) -> bool:
        request = Request("sts:AssumeRoleWithWebIdentity", "*", {"gitlab.com:sub": subject})
        return trusts(text, [("Federated", principal)], request)

    assert trusted("provider", "project_path:example/shop:ref_type:branch:ref:any")
    assert not trusted("provider", "project_path:example/fork:ref_type:branch:ref:any")
    assert not trusted("another", "project_path:example/shop:ref_type:branch:ref:any")
