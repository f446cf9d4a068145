"""The checks of AWS answers fail for answers that are wrong."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from tests.integration.aws_shapes import allowed, complaints

SESSION = botocore.session.get_session()
ASSUMED = {
    "Credentials": {
        "AccessKeyId": "a-key",
        "SecretAccessKey": "x",
        "SessionToken": "x",
        "Expiration": "2026-01-01T00:00:00Z",
    },
    "AssumedRoleUser": {"AssumedRoleId": "AROA:a", "Arn": "arn:aws:sts::123456789012:assumed-role/a/a"},
    "PackedPolicySize": "6",
}
GROUP = {"groupId": "sg-1", "isEgress": "false", "fromPort": "80", "tagSet": [{"key": "a", "value": "1"}]}


def operation(service: str, name: str) -> Any:
    return SESSION.get_service_model(service).operation_model(name)


def of_json(service: str, name: str, answer: Any) -> list[str]:
    return complaints(operation(service, name), {}, json.dumps(answer).encode())


def of_sts(answer: dict[str, Any], around: str = "AssumeRoleResult") -> list[str]:
    text = f"<AssumeRoleResponse><{around}>{xml(answer)}</{around}><ResponseMetadata/></AssumeRoleResponse>"
    return complaints(operation("sts", "AssumeRole"), {}, text.encode())


def of_ec2(answer: dict[str, Any]) -> list[str]:
    body = xml({"requestId": "1", "securityGroupRuleSet": [answer]})
    text = f'<DescribeSecurityGroupRulesResponse xmlns="http://e/">{body}</DescribeSecurityGroupRulesResponse>'
    return complaints(operation("ec2", "DescribeSecurityGroupRules"), {}, text.encode())


def xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{key}>{xml(item)}</{key}>" for key, item in value.items())
    return "".join(f"<item>{xml(item)}</item>" for item in value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    "cluster",
    [
        {"name": "a", "status": "ACTIVE", "createdAt": 1767225600.5, "tags": {"a": "1"}},
        {"resourcesVpcConfig": {"subnetIds": ["subnet-1"], "endpointPublicAccess": True}},
        {},
    ],
)
def test_a_good_answer_is_left_alone(cluster: dict[str, Any]) -> None:
    assert not of_json("eks", "DescribeCluster", {"cluster": cluster})


@pytest.mark.parametrize(
    ("cluster", "complaint"),
    [
        ({"name": 7}, "answer.cluster.name: 7 is no string"),
        ({"name": None}, "answer.cluster.name: None is no string"),
        ({"tags": []}, "answer.cluster.tags: [] is no map"),
        ({"tags": {"a": 1}}, "answer.cluster.tags.a: 1 is no string"),
        ({"resourcesVpcConfig": "x"}, "answer.cluster.resourcesVpcConfig: 'x' is no structure"),
        ({"resourcesVpcConfig": {"subnetIds": "x"}}, "answer.cluster.resourcesVpcConfig.subnetIds: 'x' is no list"),
        ({"resourcesVpcConfig": {"subnetIds": [1]}}, "answer.cluster.resourcesVpcConfig.subnetIds[0]: 1 is no string"),
        ({"deletionProtection": "true"}, "answer.cluster.deletionProtection: 'true' is no boolean"),
    ],
)
def test_a_wrong_type_is_noticed(cluster: dict[str, Any], complaint: str) -> None:
    assert of_json("eks", "DescribeCluster", {"cluster": cluster}) == [complaint]


def test_a_boolean_is_not_a_number() -> None:
    group = {"scalingConfig": {"minSize": True}}
    assert of_json("eks", "DescribeNodegroup", {"nodegroup": group})


@pytest.mark.parametrize("when", ["2026-01-01T00:00:00Z", "soon", True])
def test_a_time_that_is_not_in_seconds_is_noticed_in_json(when: Any) -> None:
    assert of_json("eks", "DescribeCluster", {"cluster": {"createdAt": when}})


def test_an_unknown_member_is_noticed() -> None:
    assert of_json("eks", "DescribeCluster", {"clusters": {}}) == ["answer: clusters is not in the model"]
    assert of_json("eks", "DescribeCluster", {"cluster": {"Name": "a"}}) == ["answer.cluster: Name is not in the model"]


def test_an_enum_s_unknown_value_is_noticed() -> None:
    assert "is none of" in of_json("eks", "DescribeCluster", {"cluster": {"status": "READY"}})[0]
    assert of_json("eks", "DescribeCluster", {"cluster": {"logging": {"clusterLogging": [{"types": ["apis"]}]}}})


def test_a_missing_required_member_is_noticed() -> None:
    answer: dict[str, Any] = {"Subscribers": [{"SubscriptionType": "EMAIL"}]}
    problems = of_json("budgets", "DescribeSubscribersForNotification", answer)
    assert problems == ["answer.Subscribers[0]: Address is required"]


@pytest.mark.parametrize("answer", [[], "text", None])
def test_an_answer_that_is_no_object_is_noticed(answer: Any) -> None:
    assert of_json("eks", "DescribeCluster", answer)


def test_good_xml_is_left_alone() -> None:
    assert not of_sts(ASSUMED)
    assert not of_ec2(GROUP)


@pytest.mark.parametrize(
    "change",
    [
        {"PackedPolicySize": "some"},
        {"PackedPolicySize": "6.5"},
        {"Credentials": "none"},
        {"Role": "a"},
        {"assumedRoleUser": "a"},
        {"AssumedRoleUser": {"Arn": "a"}},
        {"Credentials": {**ASSUMED["Credentials"], "Expiration": "1767225600"}},  # type: ignore[dict-item]
        {"Credentials": {**ASSUMED["Credentials"], "Expiration": "2026-13-01T00:00:00Z"}},  # type: ignore[dict-item]
    ],
)
def test_what_is_wrong_in_xml_is_noticed(change: dict[str, Any]) -> None:
    assert of_sts({**ASSUMED, **change})


@pytest.mark.parametrize("change", [{"isEgress": "no"}, {"fromPort": "http"}, {"tagSet": "a"}, {"port": "80"}])
def test_what_is_wrong_in_ec2_s_xml_is_noticed(change: dict[str, Any]) -> None:
    assert of_ec2({**GROUP, **change})


def test_a_result_in_the_wrong_place_is_noticed() -> None:
    with pytest.raises(AssertionError, match="around the result"):
        of_sts(ASSUMED, "Result")


@pytest.mark.parametrize(
    ("service", "name", "status", "code", "expected"),
    [
        ("eks", "DescribeCluster", 404, "ResourceNotFoundException", True),
        ("eks", "DescribeCluster", 400, "ResourceNotFoundException", False),
        ("eks", "DescribeCluster", 409, "ResourceInUseException", False),
        ("eks", "DescribeCluster", 500, "ServerException", False),
        ("iam", "GetPolicy", 404, "NoSuchEntity", True),
        ("ec2", "TerminateInstances", 400, "InvalidInstanceID.NotFound", True),
        ("ec2", "TerminateInstances", 400, "UnsupportedOperation", False),
        ("sts", "AssumeRole", 403, "AccessDenied", True),
        ("sts", "AssumeRole", 200, "AccessDenied", False),
    ],
)
def test_an_error_is_judged(service: str, name: str, status: int, code: str, expected: bool) -> None:
    assert allowed(operation(service, name), status, code) is expected
