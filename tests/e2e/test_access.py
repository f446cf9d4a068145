"""Who may do what: EKS tokens of the real principals, checked by the real API server."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import msgspec
import pytest
from msgspec.structs import replace

from localcloud.aws.access_policies import rules
from longshore.process.command import query
from longshore.process.runner import Runner
from longshore.rollout import release
from longshore.rollout.secrets import Secrets
from longshore.settings.load import load
from longshore.snapshot.take import take
from longshore.tasks.world import World
from tests.e2e.gitlab import GitLab
from tests.e2e.principal import Principal
from tests.e2e.project import Project

# In its own namespace a deployer may do what a release needs …
ALLOWED = (
    "create deployments.apps",
    "patch deployments.apps",
    "delete deployments.apps",
    "patch services",
    "create configmaps",
    "delete configmaps",
    "patch horizontalpodautoscalers.autoscaling",
    "patch networkpolicies.networking.k8s.io",
    "patch poddisruptionbudgets.policy",
    "patch serviceaccounts",
    "list pods",
    "create pods",
    "patch pods",
    "delete pods",
    "get pods/log",
    "get pods/proxy",
    "create pods/proxy",
    "create networkpolicies.networking.k8s.io",
    "watch events",
    "get namespaces",
)
# … but neither give itself more rights nor change the namespace's limits.
REFUSED = (
    "create roles.rbac.authorization.k8s.io",
    "create rolebindings.rbac.authorization.k8s.io",
    "bind roles.rbac.authorization.k8s.io",
    "patch namespaces",
    "delete namespaces",
    "patch resourcequotas",
    "create limitranges",
)
# Elsewhere, and in the cluster as a whole, nothing at all.
ELSEWHERE = (
    "list pods",
    "get secrets",
    "create deployments.apps",
    "get configmaps",
    "create pods/exec",
    "get namespaces",
    "list nodes",
    "get persistentvolumes",
    "create namespaces",
    "list clusterroles.rbac.authorization.k8s.io",
    "impersonate users",
)


CA = "cluster_certificate_authority_data"


@pytest.fixture
def principal(live: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Principal]]:
    """Return a function that makes a principal: the service user with a new key, or a session of a pipeline role."""
    iam, keys = live.client("iam"), []
    outputs = live.invoke("infra.output", "-e", live.name, "--json").data

    def make(who: str) -> Principal:
        folder = tmp_path_factory.mktemp(who)
        if who == "user":
            key = iam.create_access_key(UserName=outputs["deployer_user_name"])["AccessKey"]
            keys.append(key)
        else:
            key = live.client("sts").assume_role_with_web_identity(
                RoleArn=outputs["ci_role_arns"][who], RoleSessionName="job-1", WebIdentityToken=GitLab(live).token()
            )["Credentials"]
        return Principal(live, folder, key)

    yield make
    for key in keys:
        iam.delete_access_key(UserName=key["UserName"], AccessKeyId=key["AccessKeyId"])


def everything(policy: str) -> list[tuple[str, str, str]]:
    """Return what POLICY allows, and the lease of a release, as (verb, group, resource)."""
    lock = [
        (verb, "coordination.k8s.io", "leases")
        for verb in ("create", "delete", "get", "list", "patch", "update", "watch")
    ]
    return sorted(
        {
            (verb, group, resource)
            for rule in rules(policy)
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }.union(lock)
    )


@pytest.mark.parametrize("who", ["user", "deploy"])
def test_a_deployer_may_touch_its_namespace_and_nothing_else(principal: Callable[[str], Principal], who: str) -> None:
    someone = principal(who)
    assert someone.may("shop") == everything("AmazonEKSEditPolicy")
    assert someone.may("default") == []
    assert someone.may("kube-system") == []
    answers = {question: someone.can(question, "shop") for question in (*ALLOWED, *REFUSED)}
    assert answers == dict.fromkeys(ALLOWED, True) | dict.fromkeys(REFUSED, False)
    assert [question for question in ELSEWHERE if someone.can(question, "kube-system")] == []


def test_can_i_tells_what_the_api_server_does(principal: Callable[[str], Principal]) -> None:
    someone = principal("deploy")
    created = someone.kubectl("--namespace=shop", "create", "configmap", "probe", "--from-literal=a=b")
    assert created.returncode == 0, created.stderr
    assert someone.kubectl("--namespace=shop", "delete", "configmap", "probe").returncode == 0
    refused = someone.kubectl("--namespace=default", "create", "configmap", "probe", "--from-literal=a=b")
    assert "forbidden" in refused.stderr
    assert 'User "arn:aws:sts::123456789012:assumed-role/shop-' in refused.stderr


@pytest.mark.parametrize("who", ["plan", "apply"])
def test_a_role_without_an_access_entry_is_nobody(principal: Callable[[str], Principal], who: str) -> None:
    answer = principal(who).kubectl("auth", "can-i", "--list", "--namespace=shop")
    assert "Unauthorized" in answer.stderr or "must be logged in" in answer.stderr
    assert answer.returncode != 0


def test_tokens_that_prove_nothing_are_refused(principal: Callable[[str], Principal], live: Project) -> None:
    someone = principal("user")
    frozen = someone.session.get_credentials().get_frozen_credentials()
    stranger = Principal(live, someone.folder, {"AccessKeyId": frozen.access_key, "SecretAccessKey": "x" * 40})
    unknown = Principal(live, someone.folder, {"AccessKeyId": "AKIA" + "A" * 16, "SecretAccessKey": "x" * 40})
    tokens = {
        "wrong secret": stranger.token(),
        "unknown key": unknown.token(),
        "another cluster": someone.token(cluster="shop-production"),
        "sixteen minutes old": someone.token(ago=16 * 60),
        "altered": someone.token()[:-4] + "AAAA",
    }
    assert someone.kubectl("auth", "whoami", token=someone.token(ago=14 * 60)).returncode == 0
    for why, token in tokens.items():
        ran = someone.kubectl("auth", "whoami", token=token)
        assert ran.returncode != 0, f"{why}: {ran.stdout}"
        assert "Unauthorized" in ran.stderr or "must be logged in" in ran.stderr, why


def test_a_removed_policy_and_a_dead_key_hold_for_no_new_token(
    principal: Callable[[str], Principal], live: Project
) -> None:
    someone = principal("user")
    key = someone.session.get_credentials().access_key
    name = live.invoke("infra.output", "-e", live.name, "--json").data["deployer_user_name"]
    assert someone.can("list pods", "shop")
    iam, eks = live.client("iam"), live.client("eks")
    entry = {"clusterName": f"shop-{live.name}", "principalArn": f"arn:aws:iam::123456789012:user/service/{name}"}
    policy = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"][0]
    eks.disassociate_access_policy(**entry, policyArn=policy["policyArn"])
    try:
        assert not someone.can("list pods", "shop", token=someone.token(ago=5))
    finally:
        eks.associate_access_policy(**entry, policyArn=policy["policyArn"], accessScope=policy["accessScope"])
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert someone.kubectl("auth", "whoami", token=someone.token(ago=10)).returncode != 0


def test_a_release_needs_no_more_than_a_deployers_rights(
    principal: Callable[[str], Principal], project: Project
) -> None:
    project.deploy()
    key = principal("deploy").session.get_credentials().get_frozen_credentials()
    file = project.folder / ".longshore" / "credentials-deploy"
    file.touch(mode=0o600)
    token = f"aws_session_token = {key.token}\n" if key.token else ""
    file.write_text(
        f"[default]\naws_access_key_id = {key.access_key}\naws_secret_access_key = {key.secret_key}\n{token}"
    )
    settings = load(project.folder, project.environ)
    there = settings.environment(project.name)
    ca = base64.b64decode(project.invoke("infra.output", "-e", project.name, "--json").data[CA]).decode()
    cluster = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca)).hexdigest()
    variables = {**there.aws_env, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    changed = msgspec.structs.replace(there, aws_env=variables, cluster=cluster)
    settings = msgspec.structs.replace(settings, environments={project.name: changed})
    runner = Runner(project.environ, log_dir=settings.work / "logs")
    snapshot = take(settings, runner)
    world = World(settings, project.name, runner, lambda: snapshot)
    outputs, image = world.infra.outputs(), world.image.remembered()
    assert image
    site, target = world.site(outputs), replace(world.target(outputs, image), revision="by-deploy")
    result = release.run(site, world.manifest(target), target, Secrets(), lambda *_: None)
    assert "verified at" in result.note
    assert project.version()["revision"] == "by-deploy"
    whoami = runner.run(query(*site.cluster.prefix, "auth", "whoami", "--output=json")).stdout
    assert json.loads(whoami)["status"]["userInfo"]["groups"][0] == "shop-deployers"
    runner.run(query(*site.cluster.prefix, "--namespace=shop", "get", "leases"))


def test_the_registry_serves_only_those_who_have_its_login(live: Project) -> None:
    login = live.client("ecr").get_authorization_token()["authorizationData"][0]

    def status(token: str) -> int:
        headers = {"Authorization": f"Basic {token}"} if token else {}
        request = urllib.request.Request(f"{login['proxyEndpoint']}/v2/shop/app/tags/list", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as problem:
            return problem.code

    assert status(login["authorizationToken"]) == 200
    assert status("") == 401
    assert status(base64.b64encode(b"AWS:guessed").decode()) == 401
