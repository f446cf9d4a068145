"""Whom the local AWS lets in: each way past its signatures that somebody on this machine, or a web page, could try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from moto.s3.models import s3_backends
from werkzeug.test import TestResponse

from localcloud.secret import login
from tests.unit.localcloud.aws.local_aws import HOST, LocalAws
from tests.unit.localcloud.aws.tokens import AUDIENCE, CLUSTER_ISSUER, SUBJECT, Issuer
from tests.unit.localcloud.aws.unsigned import BY_TOKEN, FORM, UNSIGNED


def send(aws: LocalAws, method: str, path: str, headers: dict[str, str], body: str, host: str = HOST) -> TestResponse:
    sent = {"Content-Type": FORM, **headers}
    overrides = {"REQUEST_URI": path, "RAW_URI": path}
    return aws.http.open(
        path.removeprefix(f"http://{HOST}"),
        method=method,
        base_url=f"http://{host}",
        headers=sent,
        data=body,
        environ_overrides=overrides,
    )


def nothing_was_written(aws: LocalAws) -> bool:
    users = [user["UserName"] for user in aws.client("iam").list_users()["Users"]]
    return users == ["operator"] and not aws.client("s3").list_buckets()["Buckets"] and not s3_backends.bucket_accounts


@pytest.mark.parametrize("how", UNSIGNED)
def test_a_call_that_is_not_signed_changes_nothing(aws: LocalAws, how: str) -> None:
    assert send(aws, *UNSIGNED[how]).status_code in (403, 404)
    assert nothing_was_written(aws)


def test_moto_s_own_address_is_closed_to_the_operator_too(aws: LocalAws) -> None:
    aws.client("iam").create_user(UserName="kept")
    s3 = aws.client("s3")
    with pytest.raises(s3.exceptions.ClientError, match="nothing at this address"):
        s3.put_object(Bucket="moto-api", Key="reset", Body=b"")
    assert "kept" in [user["UserName"] for user in aws.client("iam").list_users()["Users"]]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4566", "127.0.0.1", "127.0.0.1:80", "iam.amazonaws.com", "[::1]:4566", ""]
)
def test_a_name_that_is_not_this_server_s_is_refused(aws: LocalAws, host: str) -> None:
    answer = aws.http.get("/_local/health", base_url=f"http://{HOST}", environ_overrides={"HTTP_HOST": host})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "none"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/_local/health", "/_local/save"])
def test_what_a_browser_sends_is_refused_and_no_page_may_read_the_answer(
    aws: LocalAws, headers: dict[str, str], path: str
) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = send(aws, method, path, headers, "")
        assert answer.status_code == 403
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]


def test_no_answer_permits_another_page_to_read_it(aws: LocalAws) -> None:
    """Moto's server lets any page read what it answers."""
    seen: list[str] = []
    client = aws.client("sts")

    def note(response_dict: dict[str, Any], **_: Any) -> None:
        seen.extend(name.lower() for name in response_dict["headers"])

    client.meta.events.register("before-parse", note)
    client.get_caller_identity()
    client.meta.events.unregister("before-parse", note)
    assert seen
    assert not [name for name in seen if name.startswith("access-control-")]


def test_a_body_that_is_not_the_one_signed_is_refused(aws: LocalAws) -> None:
    client = aws.client("iam")

    def swap(request: Any, **_: Any) -> None:
        request.headers["X-Amz-Content-Sha256"] = "0" * 64

    client.meta.events.register("before-sign", swap)
    try:
        with pytest.raises(client.exceptions.ClientError, match="XAmzContentSHA256Mismatch"):
            client.create_user(UserName="intruder")
    finally:
        client.meta.events.unregister("before-sign", swap)
    assert nothing_was_written(aws)


def test_a_target_that_was_added_after_the_signature_is_refused(aws: LocalAws) -> None:
    client = aws.client("sts")

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amz-Target"] = "AmazonEC2ContainerRegistry_V20150921.CreateRepository"

    client.meta.events.register_first("before-send", add)
    try:
        with pytest.raises(client.exceptions.ClientError, match="SignatureDoesNotMatch"):
            client.get_caller_identity()
    finally:
        client.meta.events.unregister("before-send", add)


# What is ours.


def test_health_tells_a_stranger_nothing(aws: LocalAws) -> None:
    assert aws.get(f"http://{HOST}/_local/health").get_json() == {"status": "ok"}
    told = aws.own("GET", "health").get_json()
    assert told["account"] == "123456789012"
    assert told["alarms"] == {}


@pytest.mark.parametrize("given", ["", "Basic ", "Bearer wrong", "Basic wrong", login("wrong"), login("")])
def test_saving_and_the_review_of_tokens_need_the_environment_s_secret(aws: LocalAws, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    for route in ("save", "authenticate"):
        assert send(aws, "POST", f"/_local/{route}", headers, "{}").status_code == 401
    assert not (aws.folder / "snapshot").exists()
    assert aws.own("POST", "save").status_code == 200


# Tokens of an issuer.


@pytest.fixture
def cluster() -> Issuer:
    return Issuer(CLUSTER_ISSUER)


def role(aws: LocalAws, issuer: Issuer, **conditions: Any) -> str:
    """Create the issuer's provider and a role that trusts it."""
    iam = aws.client("iam")
    provider = iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[AUDIENCE])
    name = issuer.url.removeprefix("https://")
    given = conditions or {"StringEquals": {f"{name}:aud": AUDIENCE}, "StringLike": {f"{name}:sub": "project:*"}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": given,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return str(iam.create_role(RoleName="job", AssumeRolePolicyDocument=policy)["Role"]["Arn"])


def assumed(aws: LocalAws, arn: str, token: str, **more: str) -> TestResponse:
    form = {"Action": BY_TOKEN, "Version": "2011-06-15", "RoleArn": arn, "RoleSessionName": "job-1", **more}
    return send(aws, "POST", "/", {}, urlencode(form | {"WebIdentityToken": token}))


def test_a_token_of_the_cluster_gets_a_session_of_a_role_that_trusts_it(aws: LocalAws, cluster: Issuer) -> None:
    aws.cluster_file.write_text(json.dumps({"issuer": cluster.url, "issuer_keys": cluster.jwks}))
    answer = assumed(aws, role(aws, cluster), cluster.token())
    assert answer.status_code == 200, answer.text
    assert "assumed-role/job/job-1" in answer.text


@pytest.mark.parametrize("kind", ["RS256", "ES256"])
def test_an_issuer_s_keys_may_be_in_a_file_since_nothing_is_fetched(aws: LocalAws, kind: str) -> None:
    gitlab = Issuer("https://gitlab.com", kind)
    (aws.folder / "issuers.json").write_text(json.dumps({gitlab.url: gitlab.jwks}))
    assert assumed(aws, role(aws, gitlab), gitlab.token()).status_code == 200


def test_a_token_whose_issuer_cannot_be_verified_is_refused(aws: LocalAws, cluster: Issuer) -> None:
    answer = assumed(aws, role(aws, cluster), cluster.token())
    assert (answer.status_code, "InvalidIdentityToken" in answer.text) == (400, True)


WRONG: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "without an end": {"exp": None},
    "not valid yet": {"nbf": 1 << 33},
    "for somebody else": {"aud": "another"},
    "of another issuer": {"iss": "https://evil.example"},
    "of another subject": {"sub": "branch:evil"},
    "without a subject": {"sub": None},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_token_that_says_something_else_is_refused(aws: LocalAws, cluster: Issuer, what: str) -> None:
    aws.cluster_file.write_text(json.dumps({"issuer": cluster.url, "issuer_keys": cluster.jwks}))
    answer = assumed(aws, role(aws, cluster), cluster.token(**WRONG[what]))
    assert answer.status_code in (400, 403), answer.text
    assert "AccessKeyId" not in answer.text


def test_a_token_that_was_made_without_the_issuer_s_key_is_refused(aws: LocalAws, cluster: Issuer) -> None:
    aws.cluster_file.write_text(json.dumps({"issuer": cluster.url, "issuer_keys": cluster.jwks}))
    arn, good = role(aws, cluster), cluster.token()
    forged = Issuer(cluster.url).token()
    head, body, _ = good.split(".")
    for token in (forged, f"{head}.{body}.", f"{head}.{body}", "a" * 20, f"{Issuer.part({'alg': 'none'})}.{body}.", ""):
        answer = assumed(aws, arn, token)
        assert answer.status_code in (400, 403), answer.text
        assert "AccessKeyId" not in answer.text


@pytest.mark.parametrize(
    "conditions",
    [
        {"StringEquals": {"oidc.eks.eu-central-1.amazonaws.com/id/A:sub": "project:other"}},
        {"StringEquals": {"gitlab.com:sub": SUBJECT}},
        {"IpAddress": {"aws:SourceIp": "127.0.0.1"}},
    ],
)
def test_a_role_decides_by_its_conditions_and_one_that_is_not_understood_refuses(
    aws: LocalAws, cluster: Issuer, conditions: dict[str, Any]
) -> None:
    aws.cluster_file.write_text(json.dumps({"issuer": cluster.url, "issuer_keys": cluster.jwks}))
    answer = assumed(aws, role(aws, cluster, **conditions), cluster.token())
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)


def test_a_token_in_a_call_with_anything_in_the_query_is_refused(
    aws: LocalAws, cluster: Issuer, tmp_path: Path
) -> None:
    aws.cluster_file.write_text(json.dumps({"issuer": cluster.url, "issuer_keys": cluster.jwks}))
    form = {"Action": BY_TOKEN, "RoleArn": role(aws, cluster), "RoleSessionName": "a"}
    body = urlencode(form | {"WebIdentityToken": cluster.token()})
    for method, path, kind in (
        ("POST", "/?x", FORM),
        ("POST", "/a", FORM),
        ("PUT", "/", FORM),
        ("POST", "/", "text/plain"),
    ):
        assert send(aws, method, path, {"Content-Type": kind}, body).status_code == 403
