from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name

from localcloud.aws import inputs
from localcloud.aws.call import Call
from localcloud.aws.patching import PATCHES, Refused
from localcloud.aws.server import PATCHED

SCOPE = "20260101/eu-central-1/{}/aws4_request"
ENTRY: dict[str, Any] = {"principalArn": "arn:aws:iam::123456789012:role/deploy", "type": "STANDARD"}
ENTRIES = "/clusters/shop/access-entries"


def call(service: str, body: str, path: str = "/", *, method: str = "POST", query: str = "", target: str = "") -> Call:
    """Return a request as the server reads it; signatures are checked elsewhere."""
    signed = f"AWS4-HMAC-SHA256 Credential=AKIA/{SCOPE.format(service)}, SignedHeaders=host, Signature=0"
    headers = {"authorization": signed} | ({"x-amz-target": target} if target else {})
    return Call(method, path, query, headers, body.encode())


def code(call: Call) -> str:
    """Return the error code with which the call is refused; empty if it is accepted."""
    try:
        inputs.check(call)
    except Refused as problem:
        return problem.code if problem.status == 400 else f"{problem.status}"
    return ""


def test_a_valid_input_is_accepted() -> None:
    assert PATCHED
    assert not code(call("eks", json.dumps(ENTRY), ENTRIES))


def test_null_is_an_absent_member() -> None:
    assert not code(call("eks", json.dumps({**ENTRY, "username": None}), ENTRIES))
    assert code(call("eks", json.dumps({**ENTRY, "principalArn": None}), ENTRIES)) == "InvalidParameterException"


def test_an_unknown_member_is_ignored_as_by_aws() -> None:
    assert not code(call("eks", json.dumps({**ENTRY, "newer": 1}), ENTRIES))


@pytest.mark.parametrize("body", ["{", "[]", '"text"'])
def test_a_body_other_than_a_json_object_is_refused(body: str) -> None:
    assert code(call("eks", body, ENTRIES)) == "SerializationException"


@pytest.mark.parametrize(
    "change", [{"type": 7}, {"type": True}, {"tags": []}, {"tags": {"a": 1}}, {"kubernetesGroups": "a"}]
)
def test_a_wrong_type_is_refused(change: dict[str, Any]) -> None:
    assert code(call("eks", json.dumps({**ENTRY, **change}), ENTRIES)) == "InvalidParameterException"


def test_a_boolean_is_not_a_number() -> None:
    sizes = {"scalingConfig": {"minSize": True}}
    path = "/clusters/shop/node-groups/nodes/update-config"
    assert code(call("eks", json.dumps(sizes), path)) == "InvalidParameterException"


def test_the_query_is_checked_too() -> None:
    path, entries = "/tags/arn%3Aaws%3Aeks", call("eks", "", ENTRIES, method="GET", query="maxResults=200")
    assert code(entries) == "InvalidParameterException"
    assert code(call("eks", "", path, method="DELETE")) == "BadRequestException"
    assert not code(call("eks", "", path, method="DELETE", query="tagKeys=a&tagKeys=b"))


def test_the_body_cannot_replace_the_query() -> None:
    assert code(call("eks", '{"tagKeys": ["a"]}', "/tags/arn", method="DELETE")) == "BadRequestException"


def test_a_trailing_slash_does_not_bypass_the_check() -> None:
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


def test_a_pattern_in_javas_syntax_is_ignored() -> None:
    arn = "arn:aws:iam::123456789012:role/deploy"
    tag = "Tags.member.1.Key=%C3%BC&Tags.member.1.Value=1"
    assert not code(call("sts", f"Action=AssumeRole&RoleArn={arn}&RoleSessionName=app&{tag}"))


def test_a_pattern_must_match_the_whole_value() -> None:
    target = "AmazonEC2ContainerRegistry_V20150921.CreateRepository"
    assert not code(call("ecr", '{"repositoryName": "shop/app"}', target=target))
    assert code(call("ecr", '{"repositoryName": "shop/app!"}', target=target)) == "InvalidParameterException"


def test_other_operations_are_left_to_moto() -> None:
    assert not code(call("ec2", "Action=DescribeVpcs&MaxResults=seven"))
    assert not code(call("sns", "Action=CreateTopic"))


def test_every_patched_operation_is_found_in_its_model() -> None:
    for service in {service for service, _ in PATCHES}:
        named = {name for (patched, _), names in PATCHES.items() if patched == service for name in names}
        assert {xform_name(operation.name) for operation, _ in inputs._operations(service)} == named
