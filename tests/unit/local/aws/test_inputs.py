from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name

from longshore.local.aws import inputs
from longshore.local.aws.call import Call
from longshore.local.aws.mending import MENDS, Refused
from longshore.local.aws.server import MENDED

SCOPE = "20260101/eu-central-1/{}/aws4_request"
ENTRY: dict[str, Any] = {"principalArn": "arn:aws:iam::123456789012:role/deploy", "type": "STANDARD"}
ENTRIES = "/clusters/shop/access-entries"


def call(
    service: str, body: str, path: str = "/", *, method: str = "POST", query: str = "", target: str = ""
) -> Call:
    """A request as the server reads it; who signed it is looked at elsewhere."""
    signed = f"AWS4-HMAC-SHA256 Credential=AKIA/{SCOPE.format(service)}, SignedHeaders=host, Signature=0"
    headers = {"authorization": signed} | ({"x-amz-target": target} if target else {})
    return Call(method, path, query, headers, body.encode())


def code(one: Call) -> str:
    """The error code with which the call is refused; empty where it is taken."""
    try:
        inputs.check(one)
    except Refused as problem:
        return problem.code if problem.status == 400 else f"{problem.status}"
    return ""


def test_a_good_input_is_taken() -> None:
    assert MENDED
    assert not code(call("eks", json.dumps(ENTRY), ENTRIES))


def test_null_is_an_absent_member() -> None:
    assert not code(call("eks", json.dumps({**ENTRY, "username": None}), ENTRIES))
    assert (
        code(call("eks", json.dumps({**ENTRY, "principalArn": None}), ENTRIES)) == "InvalidParameterException"
    )


def test_a_member_that_nobody_knows_is_passed_over_as_by_aws() -> None:
    assert not code(call("eks", json.dumps({**ENTRY, "newer": 1}), ENTRIES))


@pytest.mark.parametrize("body", ["{", "[]", '"text"'])
def test_a_body_that_is_no_json_object_is_refused(body: str) -> None:
    assert code(call("eks", body, ENTRIES)) == "SerializationException"


@pytest.mark.parametrize(
    "change", [{"type": 7}, {"type": True}, {"tags": []}, {"tags": {"a": 1}}, {"kubernetesGroups": "a"}]
)
def test_a_wrong_type_is_refused(change: dict[str, Any]) -> None:
    assert code(call("eks", json.dumps({**ENTRY, **change}), ENTRIES)) == "InvalidParameterException"


def test_a_truth_value_is_no_number() -> None:
    sizes = {"scalingConfig": {"minSize": True}}
    path = "/clusters/shop/node-groups/nodes/update-config"
    assert code(call("eks", json.dumps(sizes), path)) == "InvalidParameterException"


def test_what_is_in_the_query_is_checked_as_well() -> None:
    path, entries = "/tags/arn%3Aaws%3Aeks", call("eks", "", ENTRIES, method="GET", query="maxResults=200")
    assert code(entries) == "InvalidParameterException"
    assert code(call("eks", "", path, method="DELETE")) == "BadRequestException"
    assert not code(call("eks", "", path, method="DELETE", query="tagKeys=a&tagKeys=b"))


def test_the_body_can_not_stand_for_the_query() -> None:
    assert code(call("eks", '{"tagKeys": ["a"]}', "/tags/arn", method="DELETE")) == "BadRequestException"


def test_a_slash_at_the_end_does_not_lead_past_the_check() -> None:
    assert code(call("eks", "{}", ENTRIES + "/")) == "InvalidParameterException"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("Action=TerminateInstances&InstanceId.1=i-1", ""),
        ("Action=TerminateInstances", "MissingParameter"),
        ("Padding=" + "x" * 300 + "&Action=TerminateInstances", "MissingParameter"),
        ("Action=TerminateInstances&InstanceId.1=i-1&Force=maybe", "InvalidParameterValue"),
        ("Action=DescribeLaunchTemplates&MaxResults=seven", "InvalidParameterValue"),
    ],
)
def test_a_form_of_ec2_is_checked(form: str, expected: str) -> None:
    assert code(call("ec2", form)) == expected


def test_a_form_in_the_query_is_checked() -> None:
    query = "Action=AssumeRole&RoleSessionName=app"
    assert code(call("sts", "", method="GET", query=query)) == "ValidationError"


def test_a_pattern_of_java_that_python_does_not_know_is_left_alone() -> None:
    arn = "arn:aws:iam::123456789012:role/deploy"
    tag = "Tags.member.1.Key=%C3%BC&Tags.member.1.Value=1"
    assert not code(call("sts", f"Action=AssumeRole&RoleArn={arn}&RoleSessionName=app&{tag}"))


def test_a_pattern_holds_for_the_whole_text() -> None:
    target = "AmazonEC2ContainerRegistry_V20150921.CreateRepository"
    assert not code(call("ecr", '{"repositoryName": "shop/app"}', target=target))
    assert code(call("ecr", '{"repositoryName": "shop/app!"}', target=target)) == "InvalidParameterException"


def test_what_is_not_mended_is_left_to_moto() -> None:
    assert not code(call("ec2", "Action=DescribeVpcs&MaxResults=seven"))
    assert not code(call("sns", "Action=CreateTopic"))


def test_every_mended_operation_is_found_in_its_model() -> None:
    for service in {service for service, _ in MENDS}:
        named = {name for (its, _), names in MENDS.items() if its == service for name in names}
        assert {xform_name(one.name) for one, _ in inputs._operations(service)} == named
