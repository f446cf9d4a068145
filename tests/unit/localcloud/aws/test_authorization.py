"""IAM is enforced for everybody but the operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.aws.local_aws import REGION, LocalAws, session_of
from tests.unit.localcloud.aws.tokens import Issuer

ACCOUNT = "123456789012"
URL = "https://gitlab.example"
BUCKET = "shop-terraform-state"


def policy(*statements: tuple[str, str | list[str]], effect: str = "Allow") -> str:
    rows = [{"Effect": effect, "Action": action, "Resource": resource} for action, resource in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": rows})


def trust(principal: dict[str, str], **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(aws: LocalAws) -> Callable[..., boto3.Session]:
    """Return a function that makes a role with these policies, and gives a session of it."""

    def make(*documents: str, name: str = "job", boundary: str = "") -> boto3.Session:
        iam = aws.client("iam")
        bound = {}
        if boundary:
            made = iam.create_policy(PolicyName=f"{name}-boundary", PolicyDocument=boundary)["Policy"]
            bound = {"PermissionsBoundary": made["Arn"]}
        everybody = trust({"AWS": ACCOUNT})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=everybody, **bound)["Role"]["Arn"]
        for number, document in enumerate(documents):
            iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=document)
        key = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="job-1")["Credentials"]
        return session_of(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])

    return make


def refused(call: Callable[..., Any], **asked: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as problem:
        call(**asked)
    error: Any = problem.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_role_may_do_what_its_policies_allow_and_nothing_else(aws: LocalAws, role: Callable[..., Any]) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("s3").put_object(Bucket=BUCKET, Key="production/terraform.tfstate", Body=b"{}")
    mine = f"arn:aws:s3:::{BUCKET}"
    s3 = aws.client("s3", role(policy(("s3:GetObject", f"{mine}/production/*"), ("s3:ListBucket", mine))))
    assert s3.get_object(Bucket=BUCKET, Key="production/terraform.tfstate")["Body"].read() == b"{}"
    s3.head_bucket(Bucket=BUCKET)
    code, message = refused(s3.put_bucket_policy, Bucket=BUCKET, Policy="{}")
    assert code == "AccessDenied"
    assert message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/job/job-1 is not authorized to perform: s3:PutBucketPolicy"
        f" on resource: {mine} because no identity-based policy allows the s3:PutBucketPolicy action"
    )
    assert refused(s3.get_object, Bucket=BUCKET, Key="staging/terraform.tfstate")[0] == "AccessDenied"
    assert refused(s3.get_object, Bucket=BUCKET, Key="production/none")[0] == "NoSuchKey"


def test_without_the_right_to_list_a_missing_object_is_denied_and_not_missing(
    aws: LocalAws, role: Callable[..., Any]
) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3 = aws.client("s3", role(policy(("s3:GetObject", "*"))))
    assert refused(s3.get_object, Bucket=BUCKET, Key="none")[0] == "AccessDenied"
    assert refused(s3.head_object, Bucket=BUCKET, Key="none")[0] == "403"
    assert refused(s3.head_bucket, Bucket=BUCKET)[0] == "403"


CALLS = {
    "ec2": ("describe_vpcs", {}, "UnauthorizedOperation", "ec2:DescribeVpcs"),
    "ecr": ("describe_repositories", {}, "AccessDeniedException", "ecr:DescribeRepositories"),
    "eks": ("describe_cluster", {"name": "a"}, "AccessDeniedException", "eks:DescribeCluster"),
    "iam": ("list_users", {}, "AccessDenied", "iam:ListUsers"),
    "elbv2": ("describe_load_balancers", {}, "AccessDenied", "elasticloadbalancing:DescribeLoadBalancers"),
    "logs": ("describe_log_groups", {}, "AccessDeniedException", "logs:DescribeLogGroups"),
    "cloudwatch": ("describe_alarms", {}, "AccessDenied", "cloudwatch:DescribeAlarms"),
    "budgets": ("describe_budgets", {"AccountId": ACCOUNT}, "AccessDeniedException", "budgets:ViewBudget"),
    "secretsmanager": ("get_secret_value", {"SecretId": "a"}, "AccessDeniedException", "secretsmanager:GetSecretValue"),
    "ssm": ("get_parameter", {"Name": "/a"}, "AccessDeniedException", "ssm:GetParameter"),
    "dynamodb": (
        "get_item",
        {"TableName": "abc", "Key": {"a": {"S": "b"}}},
        "AccessDeniedException",
        "dynamodb:GetItem",
    ),
    "route53": ("list_hosted_zones", {}, "AccessDenied", "route53:ListHostedZones"),
    "s3": ("get_public_access_block", {"Bucket": "abc"}, "AccessDenied", "s3:GetBucketPublicAccessBlock"),
}


@pytest.mark.parametrize("service", CALLS)
def test_every_service_refuses_a_role_without_policies_by_its_action(
    aws: LocalAws, role: Callable[..., Any], service: str
) -> None:
    method, asked, code, action = CALLS[service]
    said = refused(getattr(aws.client(service, role()), method), **asked)
    assert said[0] == code
    assert f"is not authorized to perform: {action}" in said[1]


@pytest.mark.parametrize("service", CALLS)
def test_the_action_that_is_named_is_the_one_that_allows_it(
    aws: LocalAws, role: Callable[..., Any], service: str
) -> None:
    method, asked, _, action = CALLS[service]
    call, said = getattr(aws.client(service, role(policy((action, "*")))), method), ""
    try:
        call(**asked)
    except ClientError as problem:  # what is asked for does not exist
        said = str(problem)
    assert "not authorized" not in said


def test_a_parameter_that_aws_publishes_belongs_to_no_account(aws: LocalAws, role: Callable[..., Any]) -> None:
    ssm = aws.client("ssm", role())
    path = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended/release_version"
    assert f"arn:aws:ssm:{REGION}::parameter{path} " in refused(ssm.get_parameter, Name=path)[1]
    assert f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/shop/key " in refused(ssm.get_parameter, Name="/shop/key")[1]


OBJECT = {"Bucket": "abc", "Key": "k"}
PART = {**OBJECT, "UploadId": "u"}
OF_S3: dict[str, tuple[str, dict[str, Any]]] = {
    "abort_multipart_upload": ("AbortMultipartUpload", PART),
    "create_bucket": ("CreateBucket", {"Bucket": "abc"}),
    "delete_bucket_policy": ("DeleteBucketPolicy", {"Bucket": "abc"}),
    "delete_object": ("DeleteObject", OBJECT),
    "get_bucket_cors": ("GetBucketCORS", {"Bucket": "abc"}),
    "get_bucket_lifecycle_configuration": ("GetLifecycleConfiguration", {"Bucket": "abc"}),
    "get_object_tagging": ("GetObjectTagging", OBJECT),
    "list_objects_v2": ("ListBucket", {"Bucket": "abc"}),
    "list_object_versions": ("ListBucketVersions", {"Bucket": "abc"}),
    "put_bucket_encryption": (
        "PutEncryptionConfiguration",
        {"Bucket": "abc", "ServerSideEncryptionConfiguration": {"Rules": []}},
    ),
    "put_bucket_versioning": ("PutBucketVersioning", {"Bucket": "abc", "VersioningConfiguration": {}}),
    "put_object": ("PutObject", OBJECT),
    "upload_part": ("PutObject", {**PART, "PartNumber": 1}),
}


@pytest.mark.parametrize("method", OF_S3)
def test_calls_of_s3_are_told_apart_by_their_query(aws: LocalAws, role: Callable[..., Any], method: str) -> None:
    action, asked = OF_S3[method]
    said = refused(getattr(aws.client("s3", role()), method), **asked)[1]
    assert f"is not authorized to perform: s3:{action} on resource: arn:aws:s3:::abc" in said


def test_anybody_may_ask_who_he_is(aws: LocalAws, role: Callable[..., Any]) -> None:
    session = role(policy(("sts:*", "*"), effect="Deny"))
    assert aws.client("sts", session).get_caller_identity()["Arn"].endswith("assumed-role/job/job-1")


def test_a_deny_outweighs_an_allow(aws: LocalAws, role: Callable[..., Any]) -> None:
    iam = aws.client("iam", role(policy(("*", "*")), policy(("iam:ListUsers", "*"), effect="Deny")))
    assert iam.list_roles()["Roles"]
    assert refused(iam.list_users)[1].endswith("with an explicit deny in an identity-based policy")


def test_a_boundary_bounds_what_policies_allow(aws: LocalAws, role: Callable[..., Any]) -> None:
    iam = aws.client("iam", role(policy(("*", "*")), boundary=policy(("iam:ListRoles", "*"))))
    assert iam.list_roles()["Roles"]
    assert refused(iam.list_users)[1].endswith("because no permissions boundary allows the iam:ListUsers action")


def test_a_users_boundary_is_kept_and_bounds_him(aws: LocalAws) -> None:
    iam = aws.client("iam")
    bounds = [
        iam.create_policy(PolicyName=name, PolicyDocument=policy((f"iam:{name}", "*")))["Policy"]["Arn"]
        for name in ("ListRoles", "ListUsers")
    ]
    iam.create_user(UserName="ci", PermissionsBoundary=bounds[0])
    assert iam.get_user(UserName="ci")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == bounds[0]
    iam.put_user_policy(UserName="ci", PolicyName="all", PolicyDocument=policy(("*", "*")))
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    his = aws.client("iam", session_of(key["AccessKeyId"], key["SecretAccessKey"]))
    assert "permissions boundary" in refused(his.list_users)[1]
    iam.put_user_permissions_boundary(UserName="ci", PermissionsBoundary=bounds[1])
    assert len(his.list_users()["Users"]) == 2
    iam.delete_user_permissions_boundary(UserName="ci")
    assert "PermissionsBoundary" not in iam.get_user(UserName="ci")["User"]


def test_who_hands_a_role_to_a_service_has_to_be_allowed_to_pass_it(aws: LocalAws, role: Callable[..., Any]) -> None:
    eks = aws.client("eks", role(policy(("eks:*", "*"))))
    asked = {"name": "a", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/cluster", "resourcesVpcConfig": {"subnetIds": []}}
    assert f"iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/cluster" in refused(eks.create_cluster, **asked)[1]


def test_the_boundary_that_a_new_role_gets_is_a_key_of_the_context(aws: LocalAws, role: Callable[..., Any]) -> None:
    bound = aws.client("iam").create_policy(PolicyName="b", PolicyDocument=policy(("*", "*")))["Policy"]["Arn"]
    statement = {
        "Effect": "Deny",
        "Action": ["iam:CreateRole", "iam:PutRolePolicy"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": bound}},
    }
    iam = aws.client("iam", role(policy(("*", "*")), json.dumps({"Version": "2012-10-17", "Statement": [statement]})))
    role(name="free")
    trusted = {"AssumeRolePolicyDocument": trust({"AWS": ACCOUNT})}
    assert "explicit deny" in refused(iam.create_role, RoleName="a", **trusted)[1]
    iam.create_role(RoleName="a", PermissionsBoundary=bound, **trusted)
    iam.put_role_policy(RoleName="a", PolicyName="p", PolicyDocument=policy(("*", "*")))
    told = refused(iam.put_role_policy, RoleName="free", PolicyName="p", PolicyDocument=policy(("*", "*")))
    assert "explicit deny" in told[1]


def test_a_role_is_assumed_by_whom_it_trusts(aws: LocalAws, role: Callable[..., Any]) -> None:
    iam = aws.client("iam")
    arn = iam.create_role(RoleName="apply", AssumeRolePolicyDocument=trust({"Service": "eks.amazonaws.com"}))["Role"][
        "Arn"
    ]
    asked = {"RoleArn": arn, "RoleSessionName": "job-2"}
    may, may_not = role(policy(("sts:AssumeRole", arn)), name="may"), role(name="not")
    assert "sts:AssumeRole" in refused(aws.client("sts", may).assume_role, **asked)[1]
    iam.update_assume_role_policy(RoleName="apply", PolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    assert aws.client("sts", may).assume_role(**asked)["Credentials"]
    assert "sts:AssumeRole" in refused(aws.client("sts", may_not).assume_role, **asked)[1]
    iam.update_assume_role_policy(RoleName="apply", PolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:role/not"}))
    assert aws.client("sts", may_not).assume_role(**asked)["Credentials"]


@pytest.mark.parametrize(
    ("claims", "trusted"),
    [
        ({}, True),
        ({"sub": "project_path:example/shop:ref_type:branch:ref:feature"}, False),
        ({"aud": "https://of-another-role.example"}, False),
    ],
)
def test_a_token_is_taken_for_a_role_that_trusts_its_claims(
    aws: LocalAws, claims: dict[str, str], trusted: bool
) -> None:
    iam = aws.client("iam")
    provider = iam.create_open_id_connect_provider(Url=URL, ClientIDList=[URL, "https://of-another-role.example"])
    subject = "project_path:example/shop:ref_type:branch:ref:main"
    equals = {"StringEquals": {"gitlab.example:aud": URL, "gitlab.example:sub": subject}}
    document = trust(
        {"Federated": provider["OpenIDConnectProviderArn"]}, Action="sts:AssumeRoleWithWebIdentity", Condition=equals
    )
    arn = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    asked = {"RoleArn": arn, "RoleSessionName": "job-2"}
    issuer = Issuer(URL)
    (aws.folder / "issuers.json").write_text(json.dumps({URL: issuer.jwks}))
    asked["WebIdentityToken"] = issuer.token(**{"aud": URL, "sub": subject, **claims})
    sts = aws.client("sts")
    if trusted:
        assert sts.assume_role_with_web_identity(**asked)["Credentials"]
    else:
        assert refused(sts.assume_role_with_web_identity, **asked)[0] == "AccessDenied"


def test_a_simulation_says_what_would_be_refused(aws: LocalAws, role: Callable[..., Any]) -> None:
    role(
        policy(("s3:*", "*"), ("eks:DescribeCluster", "*")),
        policy(("s3:DeleteBucket", "*"), effect="Deny"),
        boundary=policy(("s3:*", "*")),
    )
    iam, actions = aws.client("iam"), ["s3:CreateBucket", "s3:DeleteBucket", "eks:DescribeCluster", "eks:CreateCluster"]

    def simulated(who: str) -> list[str]:
        arn = f"arn:aws:iam::{ACCOUNT}:{who}"
        answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)
        assert [each["EvalActionName"] for each in answer["EvaluationResults"]] == actions
        return [each["EvalDecision"] for each in answer["EvaluationResults"]]

    assert simulated("role/job") == ["allowed", "explicitDeny", "implicitDeny", "implicitDeny"]
    assert set(simulated("user/operator")) == {"allowed"}
    assert (
        refused(iam.simulate_principal_policy, PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/no", ActionNames=actions)[
            0
        ]
        == "NoSuchEntity"
    )


def test_a_role_reads_quotas(aws: LocalAws, role: Callable[..., Any]) -> None:
    reader = aws.client("service-quotas", session=role(policy(("servicequotas:GetServiceQuota", "*"))))
    vcpus = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    assert reader.get_service_quota(**vcpus)["Quota"]["Value"] == 5
    assert refused(reader.request_service_quota_increase, **vcpus, DesiredValue=32)[0] == "AccessDeniedException"
    aws.client("service-quotas").request_service_quota_increase(**vcpus, DesiredValue=32)
    assert reader.get_service_quota(**vcpus)["Quota"]["Value"] == 32
