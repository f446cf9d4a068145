"""Session tokens: who gets one, and that its key is worth nothing without it, or after its time."""

from __future__ import annotations

import datetime
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sts.models import sts_backends

from tests.unit.localcloud.aws.local_aws import REGION, LocalAws, session_of

CALLS = {
    "sts": "get_caller_identity",
    "iam": "list_users",
    "ec2": "describe_vpcs",
    "eks": "list_clusters",
    "ecr": "describe_repositories",
    "s3": "list_buckets",
}
UNKNOWN = {
    "sts": (403, "InvalidClientTokenId"),
    "iam": (403, "InvalidClientTokenId"),
    "ec2": (401, "AuthFailure"),
    "eks": (403, "UnrecognizedClientException"),
    "ecr": (400, "UnrecognizedClientException"),
    "s3": (403, "InvalidAccessKeyId"),
}
EXPIRED = {
    "sts": (403, "ExpiredToken"),
    "iam": (403, "ExpiredToken"),
    "ec2": (400, "RequestExpired"),
    "eks": (403, "ExpiredTokenException"),
    "ecr": (400, "ExpiredTokenException"),
    "s3": (400, "ExpiredToken"),
}
ANYBODY_HERE = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ROLE = "arn:aws:iam::123456789012:role/release"


def refusal(aws: LocalAws, session: boto3.Session, service: str) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service, session), CALLS[service])()
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def assumed(aws: LocalAws) -> dict[str, str]:
    iam = aws.client("iam")
    iam.create_role(RoleName="release", AssumeRolePolicyDocument=policy(ANYBODY_HERE))
    iam.put_role_policy(RoleName="release", PolicyName="all", PolicyDocument=policy(ANYTHING))
    asked = {"RoleArn": ROLE, "RoleSessionName": "pipeline"}
    key: dict[str, str] = aws.client("sts").assume_role(**asked)["Credentials"]
    return key


def of_user(aws: LocalAws) -> dict[str, str]:
    key: dict[str, str] = aws.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    return key


ISSUERS = {"AssumeRole": assumed, "GetSessionToken": of_user}


@pytest.fixture(params=ISSUERS)
def key(aws: LocalAws, request: pytest.FixtureRequest) -> dict[str, str]:
    return ISSUERS[request.param](aws)


def session(key: dict[str, str]) -> boto3.Session:
    return session_of(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])


@pytest.mark.parametrize("service", CALLS)
def test_the_key_of_a_session_works_with_its_token_alone(aws: LocalAws, key: dict[str, str], service: str) -> None:
    assert key["AccessKeyId"].startswith("ASIA")
    getattr(aws.client(service, session(key)), CALLS[service])()
    without = session_of(key["AccessKeyId"], key["SecretAccessKey"])
    assert refusal(aws, without, service) == UNKNOWN[service]
    with_another = session_of(key["AccessKeyId"], key["SecretAccessKey"], "FwoGZXIvYXdz")
    assert refusal(aws, with_another, service) == ((400, "InvalidToken") if service == "s3" else UNKNOWN[service])


@pytest.mark.parametrize("service", CALLS)
def test_a_session_ends_when_its_time_is_over(aws: LocalAws, key: dict[str, str], service: str) -> None:
    backend, past = sts_backends["123456789012"]["aws"], datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    for each in (*backend.assumed_roles, *vars(backend).get("sessions", {}).values()):
        each.expiration = past
    assert refusal(aws, session(key), service) == EXPIRED[service]


def test_a_session_acts_as_its_user_and_gets_no_second_one(aws: LocalAws) -> None:
    sts = aws.client("sts", session(of_user(aws)))
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/operator"
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.get_session_token()


def test_sessions_of_users_survive_a_restart(aws: LocalAws, restart: Any) -> None:
    key = of_user(aws)
    aws.application.saver.save()
    assert restart().client("sts", session(key)).get_caller_identity()["Arn"].endswith("user/operator")


def test_a_fixed_key_with_a_session_token_is_refused(aws: LocalAws) -> None:
    key = aws.operator.get_credentials()
    assert key
    mixed = session_of(key.access_key, key.secret_key, of_user(aws)["SessionToken"])
    assert refusal(aws, mixed, "sts") == UNKNOWN["sts"]


def test_a_bucket_is_refused_where_another_owner_is_expected(aws: LocalAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="results", Key="a", Body=b"x", ExpectedBucketOwner="123456789012")
    other = {"Bucket": "results", "ExpectedBucketOwner": "999999999999"}
    for call, more in {
        "put_object": {"Key": "a", "Body": b"y"},
        "get_object": {"Key": "a"},
        "list_objects_v2": {},
        "head_bucket": {},
        "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
    }.items():
        with pytest.raises(ClientError) as caught:
            getattr(s3, call)(**other, **more)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert caught.value.response["Error"]["Code"] in ("AccessDenied", "403")
    assert s3.get_object(Bucket="results", Key="a")["Body"].read() == b"x"
