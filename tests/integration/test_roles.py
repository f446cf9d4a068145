"""Least privilege, both ways: no job calls what its role may not, and no role may do what no job calls.

One production environment lives and ends: a person makes it, the pipeline's jobs run on it, the person destroys it.
`pytest -s` prints the calls of each role. About four minutes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.aws.policies import Request, Verdict, matches, verdict
from longshore.pipeline.model import Role
from tests.integration.aws_process import ACCOUNT, REGION, AwsProcess
from tests.integration.role_replay import JOBS, NAME, PERSON, Replay

ROLES = (Role.PLAN, Role.APPLY, Role.BUILD, Role.DEPLOY)
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/shop-{NAME}-boundary"
STATE = f"shop-terraform-state-{ACCOUNT}"
REGISTRY = "Docker and Longshore speak the registry's own protocol, whose requests ECR authorizes as these"
MISSING = "so that AWS says that the state is missing, and not that it may not be read"
# What a role may do though nothing here calls it, and why.
UNUSED = {
    Role.BUILD: {"s3:ListBucket": MISSING}
    | dict.fromkeys(
        (
            *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload"),
            *("ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
        ),
        REGISTRY,
    ),
    Role.DEPLOY: {
        "s3:ListBucket": MISSING,
        "ecr:BatchGetImage": REGISTRY,
        "cloudwatch:DescribeAlarms": "`status` asks for alarms once the cluster has answered, and there is none here",
    },
    Role.PLAN: {},
    Role.APPLY: {},
}
UNREACHABLE = 3  # there is an EKS cluster, but no API server behind it: tests/e2e has one


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    folder = tmp_path_factory.mktemp("roles")
    aws = AwsProcess(folder / "state", dns=True)
    aws.start()
    try:
        replay = Replay(folder, aws)
        prepare(aws)
        for words in ("infra.bootstrap", "infra.plan", "infra.apply"):
            replay.person(words, "-e", NAME)
        replay.delegate()
        replay.person("infra.destroy", "-e", NAME, "--confirm", NAME)
        replay.edit(f"terraform/environments/{NAME}.tfvars", "log_retention_days  = 365", "log_retention_days  = 90")
        replay.edit(
            f"terraform/environments/{NAME}.tfvars", "deletion_protection = true", "deletion_protection = false"
        )
        replay.push("main", "feature")
        replay.job("rollback")  # before anything is delivered, and while changes are pending
        replay.job("build")
        replay.job("rollout", receives=("build",))
        replay.promotion("image.promote", Role.BUILD)
        replay.promotion("promote", Role.DEPLOY)
        replay.job("plan", branch="feature")
        replay.job("apply", receives=("plan",))
        replay.job("drift")
        replay.person("status", "-e", NAME)
        yield replay
    finally:
        if aws.process:
            aws.end(kill=True)


def prepare(aws: AwsProcess) -> None:
    """Make what is there before Longshore: a person's role, a secret, and data of others."""
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=PERSON, AssumeRolePolicyDocument=document)
    iam.attach_role_policy(RoleName=PERSON, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    vault = aws.client("secretsmanager")
    vault.create_secret(Name="shop/production", SecretString="postgres://db")  # pragma: allowlist secret
    vault.create_secret(Name="bank/production", SecretString="hidden")  # pragma: allowlist secret
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="orders-data", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="orders-data", Key="orders.csv", Body=b"hidden")


def calls_of(replay: Replay, role: Role) -> set[tuple[str, str]]:
    """Return (action, resource) of every call that jobs of ROLE made."""
    name = replay.role(role).rpartition("/")[2]
    every = (call for ended in replay.ended.values() for call in ended.calls)
    return {(action, resource) for who, action, resource in every if who == name and action != "sts:GetCallerIdentity"}


def allowed(documents: list[dict[str, Any]]) -> set[str]:
    """Return the patterns of actions that DOCUMENTS allow."""
    statements = [statement for document in documents for statement in document["Statement"]]
    actions = [statement["Action"] for statement in statements if statement["Effect"] == "Allow"]
    return {action for listed in actions for action in ([listed] if isinstance(listed, str) else listed)}


@pytest.mark.parametrize("words", ["infra.bootstrap", "infra.plan", "infra.apply"])
def test_a_person_who_administers_the_account_makes_it(replay: Replay, words: str) -> None:
    ended = replay.ended[words]
    assert ended.code == 0, ended.text
    assert {who for who, _, _ in ended.calls} == {PERSON}


def test_a_protected_environment_is_not_destroyed(replay: Replay) -> None:
    ended = replay.ended["infra.destroy"]
    assert ended.code == 3
    assert "production is protected, and is not destroyed" in ended.text
    assert ended.calls == []


@pytest.mark.parametrize("name", JOBS)
def test_every_job_does_its_work_as_its_role(replay: Replay, name: str) -> None:
    ended = replay.ended[name]
    print(f"\n{name}, as {JOBS[name].role}:")
    for action, resource in sorted({(action, resource) for _, action, resource in ended.calls}):
        print(f"  {action}  {resource}")
    assert ended.refused == [], "its role lacks a permission"  # the provider takes some refusals for an absence
    assert ended.code == (UNREACHABLE if JOBS[name].role is Role.DEPLOY else 0), ended.text
    assert {who for who, _, _ in ended.calls} == {replay.role(JOBS[name].role).rpartition("/")[2]}


def test_a_delivery_reads_outputs_and_neither_plans_nor_locks(replay: Replay) -> None:
    for name in ("build", "rollout", "rollback"):
        actions = {action for _, action, _ in replay.ended[name].calls}
        assert "s3:GetObject" in actions
        assert not {action for action in actions if action.startswith(("ec2:", "iam:", "s3:Put", "s3:Delete"))}
    report = (replay.folder / "job-rollout" / ".longshore" / "report" / "report.json").read_text()
    assert "terraform/ differs from what was applied" in report, "a warning, and no refusal"


def test_a_rollout_gets_as_far_as_the_cluster(replay: Replay) -> None:
    actions = {action for _, action, _ in replay.ended["rollout"].calls}
    assert {"secretsmanager:GetSecretValue", "eks:DescribeCluster"} <= actions, replay.ended["rollout"].text


@pytest.mark.parametrize(("command", "role"), [("image.promote", Role.BUILD), ("promote", Role.DEPLOY)])
def test_a_promotion_gets_as_far_as_the_registry(replay: Replay, command: str, role: Role) -> None:
    ended = replay.ended[command]
    assert ended.code == 5, ended.text
    assert "the image cannot be copied" in ended.text
    assert ended.refused == []
    assert {who for who, _, _ in ended.calls} == {replay.role(role).rpartition("/")[2]}


@pytest.mark.parametrize("role", ROLES)
def test_no_role_may_do_what_nothing_does(replay: Replay, role: Role) -> None:
    used = {action for action, _ in calls_of(replay, role)}
    if role is Role.APPLY:  # what a person did first, the pipeline may have to do again
        used |= {action for who, action, _ in creation(replay) if who == PERSON}
    patterns, reasons = allowed(replay.documents(role)), UNUSED[role]
    unused = {pattern for pattern in patterns if not any(matches(pattern, action) for action in used)}
    assert unused == set(reasons), "remove the permission, or say in UNUSED why it stays"


def creation(replay: Replay) -> list[tuple[str, str, str]]:
    return [call for words in ("plan", "apply") for call in replay.ended[f"infra.{words}"].calls]


def test_apply_may_make_everything_that_a_person_made(replay: Replay) -> None:
    iam = replay.aws.client("iam")
    bounds = [json.dumps(document_of(iam, BOUNDARY))]
    policies = [json.dumps(document) for document in replay.documents(Role.APPLY)]
    context = {"iam:permissionsboundary": BOUNDARY}
    refused = {
        (action, resource)
        for _, action, resource in creation(replay)
        if action != "sts:GetCallerIdentity"
        for documents in (policies, bounds)
        if verdict(documents, Request(action, resource, context)) is not Verdict.ALLOWED
    }
    assert refused == set()


def document_of(iam: Any, arn: str) -> dict[str, Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: dict[str, Any] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return document


def test_every_role_and_user_of_the_project_is_within_the_boundary(replay: Replay) -> None:
    iam = replay.aws.client("iam")
    roles = [iam.get_role(RoleName=role["RoleName"])["Role"] for role in iam.list_roles()["Roles"]]
    users = [iam.get_user(UserName=user["UserName"])["User"] for user in iam.list_users()["Users"]]
    ours = [each for each in (*roles, *users) if "/shop-" in each["Arn"] or "/service/" in each["Arn"]]
    assert len(ours) > 8
    assert {each.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for each in ours} == {BOUNDARY}


Client = Callable[[str], Any]
FORBIDDEN: dict[str, tuple[Role, Callable[[Client], Any]]] = {
    "plan reads an object": (Role.PLAN, lambda of: of("s3").get_object(Bucket="orders-data", Key="orders.csv")),
    "plan reads a parameter": (Role.PLAN, lambda of: of("ssm").get_parameter(Name="/shop/key", WithDecryption=True)),
    "plan reads a secret": (Role.PLAN, lambda of: of("secretsmanager").get_secret_value(SecretId="bank/production")),
    "plan reads an item": (Role.PLAN, lambda of: of("dynamodb").get_item(TableName="orders", Key={"id": {"S": "1"}})),
    "plan scans a table": (Role.PLAN, lambda of: of("dynamodb").scan(TableName="orders")),
    "plan reads logs": (
        Role.PLAN,
        lambda of: of("logs").get_log_events(logGroupName="/aws/vpc/shop-production/flow", logStreamName="a"),
    ),
    "plan locks the state": (
        Role.PLAN,
        lambda of: of("s3").put_object(Bucket=STATE, Key="production/terraform.tfstate.tflock", Body=b""),
    ),
    "build writes the state": (
        Role.BUILD,
        lambda of: of("s3").put_object(Bucket=STATE, Key="production/terraform.tfstate", Body=b""),
    ),
    "build reaches the cluster": (Role.BUILD, lambda of: of("eks").describe_cluster(name="shop-production")),
    "build changes another repository": (
        Role.BUILD,
        lambda of: of("ecr").put_image(repositoryName="bank/app", imageManifest="{}", imageTag="a"),
    ),
    "deploy pushes an image": (
        Role.DEPLOY,
        lambda of: of("ecr").put_image(repositoryName="shop/app", imageManifest="{}", imageTag="a"),
    ),
    "deploy reads another's secret": (
        Role.DEPLOY,
        lambda of: of("secretsmanager").get_secret_value(SecretId="bank/production"),
    ),
    "deploy changes the bucket": (
        Role.DEPLOY,
        lambda of: of("s3").put_bucket_versioning(Bucket=STATE, VersioningConfiguration={"Status": "Suspended"}),
    ),
    "apply reads a secret": (Role.APPLY, lambda of: of("secretsmanager").get_secret_value(SecretId="bank/production")),
    "apply makes a role without the boundary": (
        Role.APPLY,
        lambda of: of("iam").create_role(RoleName="shop-production-x", AssumeRolePolicyDocument="{}"),
    ),
    "apply gives a person's role more": (
        Role.APPLY,
        lambda of: of("iam").attach_role_policy(
            RoleName=PERSON, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    ),
    "apply changes who is a person": (
        Role.APPLY,
        lambda of: of("iam").update_assume_role_policy(RoleName=PERSON, PolicyDocument="{}"),
    ),
    "apply becomes a person": (
        Role.APPLY,
        lambda of: of("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{PERSON}", RoleSessionName="job"),
    ),
    "apply widens the boundary": (
        Role.APPLY,
        lambda of: of("iam").create_policy_version(PolicyArn=BOUNDARY, PolicyDocument="{}", SetAsDefault=True),
    ),
    "apply leaves the boundary": (
        Role.APPLY,
        lambda of: of("iam").delete_role_permissions_boundary(RoleName="shop-production-ci-apply"),
    ),
    "apply makes a key": (Role.APPLY, lambda of: of("iam").create_access_key(UserName="shop-production-deployer")),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_role_goes_beyond_its_work(replay: Replay, what: str) -> None:
    role, attempt = FORBIDDEN[what]
    session = replay.session(role)
    with pytest.raises(ClientError, match="not authorized to perform"):
        attempt(lambda service: client(replay, session, service))


def client(replay: Replay, session: boto3.Session, service: str) -> Any:
    return session.client(service, endpoint_url=replay.aws.url)  # type: ignore[call-overload]


@pytest.mark.parametrize(("role", "branch", "taken"), [(role, "feature", role is Role.PLAN) for role in ROLES])
def test_a_branch_may_plan_and_no_more(replay: Replay, role: Role, branch: str, taken: bool) -> None:
    if taken:
        identity = client(replay, replay.session(role, branch), "sts").get_caller_identity()
        assert f"-ci-{role}/" in identity["Arn"]
        return
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        replay.session(role, branch)


def test_a_person_destroys_it_once_its_protection_is_lifted(replay: Replay) -> None:
    replay.edit("longshore.toml", "bake = 120\nprotected = true", "bake = 120\nprotected = false")
    replay.push("main")
    ended = replay.person("infra.destroy", "-e", NAME, "--confirm", NAME)
    assert ended.code == 0, ended.text
    assert "resources destroyed" in ended.text
    left: Path = replay.aws.folder
    assert left.exists()
    assert not replay.aws.client("eks").list_clusters()["clusters"]
