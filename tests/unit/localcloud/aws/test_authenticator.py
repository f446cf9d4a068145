from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import boto3
import pytest

from localcloud.aws import sts
from longshore.kubernetes import eks_token
from tests.unit.localcloud.aws.local_aws import HOST, REGION, LocalAws, session_of

CLUSTER = "shop-local"


def review(aws: LocalAws, token: str) -> dict[str, Any]:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = aws.own("POST", "authenticate", data=json.dumps(body))
    assert answer.status_code == 200
    status: dict[str, Any] = answer.get_json()["status"]
    return status


def made(session: boto3.Session, cluster: str = CLUSTER, host: str = HOST) -> str:
    return eks_token.token(cluster, REGION, f"http://{host}", session)[0]


def altered(token: str, old: str, new: str) -> str:
    """Return the token with its URL changed, as an attacker without a key would."""
    raw = token.removeprefix(eks_token.PREFIX)
    url = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
    assert old in url
    return eks_token.PREFIX + base64.urlsafe_b64encode(url.replace(old, new, 1).encode()).decode().rstrip("=")


def admit(aws: LocalAws, principal: str, cluster: str = CLUSTER, **entry: Any) -> None:
    aws.client("eks").create_access_entry(clusterName=cluster, principalArn=principal, **entry)


def grant(aws: LocalAws, principal: str, policy: str, **scope: Any) -> None:
    aws.client("eks").associate_access_policy(
        clusterName=CLUSTER,
        principalArn=principal,
        policyArn=f"arn:aws:eks::aws:cluster-access-policy/{policy}",
        accessScope=scope,
    )


@pytest.fixture
def user(aws: LocalAws) -> boto3.Session:
    """A user who may use the cluster."""
    aws.make_cluster(CLUSTER)
    session = aws.session_of_new_user("ann")
    admit(aws, "arn:aws:iam::123456789012:user/ann", kubernetesGroups=["shop-deployers"])
    return session


def key_of(session: boto3.Session) -> tuple[str, str]:
    credentials = session.get_credentials()
    assert credentials
    return credentials.access_key, credentials.secret_key


def test_a_user_with_an_access_entry_is_known_by_arn_and_groups(aws: LocalAws, user: boto3.Session) -> None:
    status = review(aws, made(user))
    assert status["authenticated"]
    assert status["user"]["username"] == "arn:aws:iam::123456789012:user/ann"
    assert status["user"]["groups"] == ["shop-deployers"]
    assert status["user"]["extra"]["accessKeyId"] == [key_of(user)[0]]


def test_an_access_policy_becomes_a_group_for_its_scope(aws: LocalAws, user: boto3.Session) -> None:
    arn = "arn:aws:iam::123456789012:user/ann"
    grant(aws, arn, "AmazonEKSViewPolicy", type="cluster")
    grant(aws, arn, "AmazonEKSEditPolicy", type="namespace", namespaces=["shop", "web"])
    groups = review(aws, made(user))["user"]["groups"]
    assert groups == [
        "shop-deployers",
        "eks:AmazonEKSViewPolicy",
        "eks:AmazonEKSEditPolicy:shop",
        "eks:AmazonEKSEditPolicy:web",
    ]


def test_a_user_name_of_the_entry_replaces_the_arn(aws: LocalAws, user: boto3.Session) -> None:
    aws.client("eks").update_access_entry(
        clusterName=CLUSTER, principalArn="arn:aws:iam::123456789012:user/ann", username="ann"
    )
    assert review(aws, made(user))["user"]["username"] == "ann"


REFUSED = {
    "a token of another kind": ("nonsense", "not an EKS token"),
    "a token that is no base64": ("k8s-aws-v1.%%%", "not base64"),
    "a token too long": ("k8s-aws-v1." + "A" * 9000, "not an EKS token"),
    "no token": ("", "not an EKS token"),
}


def test_anything_but_a_token_is_refused(aws: LocalAws, subtests: pytest.Subtests) -> None:
    for case, (token, reason) in REFUSED.items():
        with subtests.test(case):
            status = review(aws, token)
            assert not status["authenticated"]
            assert reason in status["error"]


ALTERED = {
    "an extra parameter": ("Action=", "X-Extra=1&Action=", "the parameters of"),
    "a parameter given twice": ("Action=", "Action=GetCallerIdentity&Action=", "the parameters of"),
    "another action": ("GetCallerIdentity", "GetSessionToken", "not a GetCallerIdentity"),
    "another path": ("/?", "/other?", "not this STS"),
    "another scheme": ("http://", "https://", "not this STS"),
    "another port": (":4566", ":4567", "not this STS"),
    "credentials in the address": ("http://", "http://a@", "not this STS"),
    "a longer life": ("X-Amz-Expires=60", "X-Amz-Expires=900", "does not match"),
    "no life": ("X-Amz-Expires=60", "X-Amz-Expires=0", "X-Amz-Expires"),
    "a life that is no number": ("X-Amz-Expires=60", "X-Amz-Expires=-5", "X-Amz-Expires"),
    "an unsigned cluster": ("host%3Bx-k8s-aws-id", "host", "does not sign"),
    "a fragment": ("Signature=", "Signature=0#", "not this STS"),
    "another signature": ("Signature=", "Signature=00", "does not match"),
    "another service": ("%2Fsts%2F", "%2Fs3%2F", "not a GetCallerIdentity"),
}


def test_an_altered_token_is_refused(aws: LocalAws, user: boto3.Session, subtests: pytest.Subtests) -> None:
    token = made(user)
    assert review(aws, token)["authenticated"]
    for case, (old, new, reason) in ALTERED.items():
        with subtests.test(case):
            status = review(aws, altered(token, old, new))
            assert not status["authenticated"]
            assert reason in status["error"]


def test_a_wrong_secret_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    forged = session_of(key_of(user)[0], "x" * 40)
    assert "does not match" in review(aws, made(forged))["error"]


def test_an_unknown_key_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    stranger = session_of("AKIAIOSFODNN7EXAMPLE", key_of(user)[1])
    assert "security token" in review(aws, made(stranger))["error"]


def test_a_deleted_key_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    token = made(user)
    aws.client("iam").delete_access_key(UserName="ann", AccessKeyId=key_of(user)[0])
    assert not review(aws, token)["authenticated"]


def test_a_deactivated_key_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    token = made(user)
    aws.client("iam").update_access_key(UserName="ann", AccessKeyId=key_of(user)[0], Status="Inactive")
    assert not review(aws, token)["authenticated"]


def test_a_token_holds_for_fifteen_minutes(
    aws: LocalAws, user: boto3.Session, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    token = made(user)
    began = datetime.datetime.now(datetime.UTC)
    for minutes, accepted in ((-16, False), (0, True), (14, True), (16, False)):
        with subtests.test(minutes=minutes):
            monkeypatch.setattr(sts, "now", lambda later=began + datetime.timedelta(minutes=minutes): later)
            assert review(aws, token)["authenticated"] is accepted


def test_a_token_for_another_cluster_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    assert "does not match" in review(aws, made(user, cluster="shop-production"))["error"]


def test_a_token_of_another_cluster_is_refused_where_the_real_one_is_named(aws: LocalAws, user: boto3.Session) -> None:
    aws.make_cluster("other")
    admit(aws, "arn:aws:iam::123456789012:user/ann", cluster="other")
    assert review(aws, made(user, cluster="other"))["authenticated"]
    aws.cluster_file.write_text(json.dumps({"name": CLUSTER}))
    assert not review(aws, made(user, cluster="other"))["authenticated"]
    assert review(aws, made(user))["authenticated"]


def test_a_token_signed_for_another_host_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    assert "not this STS" in review(aws, made(user, host="sts.eu-central-1.amazonaws.com"))["error"]


def test_a_user_without_an_access_entry_is_refused(aws: LocalAws, user: boto3.Session) -> None:
    stranger = aws.session_of_new_user("bob")
    assert "user/bob has no access entry" in review(aws, made(stranger))["error"]


def test_a_nodes_entry_admits_nobody_by_token(aws: LocalAws) -> None:
    aws.make_cluster(CLUSTER)
    session = aws.session_of_new_user("node")
    admit(aws, "arn:aws:iam::123456789012:user/node", type="EC2_LINUX")
    assert "is for nodes" in review(aws, made(session))["error"]


def test_before_a_cluster_exists_a_token_is_refused(aws: LocalAws) -> None:
    assert "no cluster exists" in review(aws, made(aws.operator))["error"]


def assumed(aws: LocalAws, role: str = "deploy", path: str = "/ci/") -> dict[str, str]:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    made_role = aws.client("iam").create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=trust)["Role"]
    admit(aws, made_role["Arn"])
    session: dict[str, Any] = aws.client("sts").assume_role(RoleArn=made_role["Arn"], RoleSessionName="job-7")
    credentials: dict[str, str] = session["Credentials"]
    return credentials


def test_a_roles_session_is_mapped_by_its_role(aws: LocalAws) -> None:
    aws.make_cluster(CLUSTER)
    given = assumed(aws)
    session = session_of(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    status = review(aws, made(session))
    assert status["user"]["username"] == "arn:aws:sts::123456789012:assumed-role/deploy/job-7"
    assert status["user"]["extra"]["canonicalArn"] == ["arn:aws:iam::123456789012:role/ci/deploy"]
    assert status["user"]["extra"]["sessionName"] == ["job-7"]


def test_a_roles_session_without_its_session_token_is_refused(aws: LocalAws) -> None:
    aws.make_cluster(CLUSTER)
    given = assumed(aws)
    session = session_of(given["AccessKeyId"], given["SecretAccessKey"])
    assert not review(aws, made(session))["authenticated"]


def test_a_role_that_does_not_exist_cannot_be_assumed(aws: LocalAws) -> None:
    sts_client = aws.client("sts")
    with pytest.raises(sts_client.exceptions.ClientError, match="AccessDenied"):
        sts_client.assume_role(RoleArn="arn:aws:iam::123456789012:role/nobody", RoleSessionName="job")


def test_a_malformed_review_is_refused(aws: LocalAws) -> None:
    assert aws.own("POST", "authenticate", data="{").status_code == 400
    for body in ("[]", "{}", '{"spec": {"token": 5}}', '{"spec": null}'):
        answer = aws.own("POST", "authenticate", data=body)
        assert answer.get_json()["status"]["authenticated"] is False
