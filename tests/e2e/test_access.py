"""Who may do what: EKS tokens of the real principals, judged by the real API server."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import msgspec
import pytest

from longshore import eks_token
from longshore.command import query
from longshore.local.aws.access_policies import rules
from longshore.rollout.render import render
from longshore.rollout.secrets import Secrets
from longshore.runner import Runner
from longshore.settings import load
from longshore.tasks.world import World
from tests.e2e.project import REGION, Project, kubectl

# In its own namespace a deployer may do what a release needs …
ALLOWED = (
    "create deployments.apps", "patch deployments.apps", "delete deployments.apps", "patch services", "create configmaps",
    "delete configmaps", "patch horizontalpodautoscalers.autoscaling", "patch networkpolicies.networking.k8s.io",
    "patch poddisruptionbudgets.policy", "patch serviceaccounts", "list pods", "get pods/log", "watch events", "get namespaces",
)  # fmt: skip
# … but not give itself more, nor leave what a namespace must keep to.
REFUSED = (
    "create roles.rbac.authorization.k8s.io", "create rolebindings.rbac.authorization.k8s.io", "bind roles.rbac.authorization.k8s.io",
    "patch namespaces", "delete namespaces", "patch resourcequotas", "create limitranges",
)  # fmt: skip
# Elsewhere, and in the cluster as a whole, nothing at all.
ELSEWHERE = (
    "list pods", "get secrets", "create deployments.apps", "get configmaps", "create pods/exec", "get namespaces", "list nodes",
    "get persistentvolumes", "create namespaces", "list clusterroles.rbac.authorization.k8s.io", "impersonate users",
)  # fmt: skip
EVERYBODY = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


class Principal:
    """Somebody with AWS credentials, who asks the cluster by token."""

    def __init__(self, project: Project, folder: Path, key: dict[str, str]) -> None:
        self.project, self.folder = project, folder
        self.session = boto3.Session(
            key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken"), region_name=REGION
        )

    def token(self, cluster: str = "", ago: int = 0) -> str:
        """Return a token as kubectl's plugin makes it, for another cluster or from so many seconds AGO where asked."""
        url = f"http://127.0.0.1:{self.project.aws_port}"
        name = cluster or f"shop-{self.project.name}"
        if not ago:
            return eks_token.token(name, REGION, url, self.session)[0]
        import botocore.auth

        then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: then.replace(tzinfo=None))
            return eks_token.token(name, REGION, url, self.session)[0]

    def kubectl(self, *words: str, token: str = "", stdin: str = "") -> subprocess.CompletedProcess[str]:
        admin = json.loads((self.project.state() / "aws" / "cluster.json").read_text())
        cluster = {"server": admin["endpoint"], "certificate-authority-data": admin["ca"]}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token or self.token()}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }  # fmt: skip
        file = self.folder / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config))
        argv = [kubectl(), f"--kubeconfig={file}", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30, check=False)

    def may(self, namespace: str) -> list[tuple[str, str, str]]:
        """Return what `kubectl auth can-i --list` lists in NAMESPACE as (verb, group, resource), without what everybody may."""
        ask = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        ran = self.kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(ask))
        assert ran.returncode == 0, ran.stderr
        found = json.loads(ran.stdout)["status"]["resourceRules"]
        return sorted(
            {
                (verb, group, resource)
                for rule in found
                for verb in rule["verbs"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                if resource not in EVERYBODY
            }
        )

    def can(self, question: str, namespace: str, token: str = "") -> bool:
        said = self.kubectl("auth", "can-i", *question.split(), f"--namespace={namespace}", token=token)
        return said.stdout.strip() == "yes"


@pytest.fixture
def principal(
    live: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Principal]]:
    """Return a function that makes somebody: the service user with a key of its own, or a session of one of GitLab's roles."""
    iam, made = live.client("iam"), []
    outputs = live.invoke("infra.output", "-e", live.name, "--json").data

    def make(who: str) -> Principal:
        folder = tmp_path_factory.mktemp(who)
        if who == "user":
            key = iam.create_access_key(UserName=outputs["deployer_user_name"])["AccessKey"]
            made.append(key)
        else:
            key = live.client("sts").assume_role_with_web_identity(
                RoleArn=outputs["gitlab_role_arns"][who], RoleSessionName="job-1", WebIdentityToken="a" * 20
            )["Credentials"]
        return Principal(live, folder, key)

    yield make
    for key in made:
        iam.delete_access_key(UserName=key["UserName"], AccessKeyId=key["AccessKeyId"])


def everything(policy: str) -> list[tuple[str, str, str]]:
    """Return what POLICY allows, and the lock of a release, as (verb, group, resource)."""
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
def test_a_deployer_may_touch_its_namespace_and_nothing_else(
    principal: Callable[[str], Principal], who: str
) -> None:
    somebody = principal(who)
    assert somebody.may("shop") == everything("AmazonEKSEditPolicy")
    assert somebody.may("default") == []
    assert somebody.may("kube-system") == []
    said = {question: somebody.can(question, "shop") for question in (*ALLOWED, *REFUSED)}
    assert said == dict.fromkeys(ALLOWED, True) | dict.fromkeys(REFUSED, False)
    assert [question for question in ELSEWHERE if somebody.can(question, "kube-system")] == []


def test_what_can_i_says_is_what_happens(principal: Callable[[str], Principal]) -> None:
    somebody = principal("deploy")
    made = somebody.kubectl("--namespace=shop", "create", "configmap", "probe", "--from-literal=a=b")
    assert made.returncode == 0, made.stderr
    assert somebody.kubectl("--namespace=shop", "delete", "configmap", "probe").returncode == 0
    refused = somebody.kubectl("--namespace=default", "create", "configmap", "probe", "--from-literal=a=b")
    assert "forbidden" in refused.stderr
    assert 'User "arn:aws:sts::123456789012:assumed-role/shop-' in refused.stderr


@pytest.mark.parametrize("who", ["plan", "apply"])
def test_a_role_without_an_access_entry_is_nobody(principal: Callable[[str], Principal], who: str) -> None:
    said = principal(who).kubectl("auth", "can-i", "--list", "--namespace=shop")
    assert "Unauthorized" in said.stderr or "must be logged in" in said.stderr
    assert said.returncode != 0


def test_tokens_that_prove_nothing_are_refused(principal: Callable[[str], Principal], live: Project) -> None:
    somebody = principal("user")
    frozen = somebody.session.get_credentials().get_frozen_credentials()
    stranger = Principal(
        live, somebody.folder, {"AccessKeyId": frozen.access_key, "SecretAccessKey": "x" * 40}
    )
    unknown = Principal(
        live, somebody.folder, {"AccessKeyId": "AKIA" + "A" * 16, "SecretAccessKey": "x" * 40}
    )
    tokens = {
        "wrong secret": stranger.token(),
        "unknown key": unknown.token(),
        "another cluster": somebody.token(cluster="shop-production"),
        "sixteen minutes old": somebody.token(ago=16 * 60),
        "altered": somebody.token()[:-4] + "AAAA",
    }
    assert somebody.kubectl("auth", "whoami", token=somebody.token(ago=14 * 60)).returncode == 0
    for why, token in tokens.items():
        ran = somebody.kubectl("auth", "whoami", token=token)
        assert ran.returncode != 0, f"{why}: {ran.stdout}"
        assert "Unauthorized" in ran.stderr or "must be logged in" in ran.stderr, why


def test_a_removed_policy_and_a_dead_key_hold_for_no_new_token(
    principal: Callable[[str], Principal], live: Project
) -> None:
    somebody = principal("user")
    key = somebody.session.get_credentials().access_key
    name = live.invoke("infra.output", "-e", live.name, "--json").data["deployer_user_name"]
    assert somebody.can("list pods", "shop")
    iam, eks = live.client("iam"), live.client("eks")
    entry = {
        "clusterName": f"shop-{live.name}",
        "principalArn": f"arn:aws:iam::123456789012:user/service/{name}",
    }
    policy = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"][0]
    eks.disassociate_access_policy(**entry, policyArn=policy["policyArn"])
    try:
        assert not somebody.can("list pods", "shop", token=somebody.token(ago=5))
    finally:
        eks.associate_access_policy(**entry, policyArn=policy["policyArn"], accessScope=policy["accessScope"])
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert somebody.kubectl("auth", "whoami", token=somebody.token(ago=10)).returncode != 0


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
    changed = msgspec.structs.replace(
        there, aws_env={**there.aws_env, "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    )
    settings = msgspec.structs.replace(settings, environments={project.name: changed})
    world = World(settings, project.name, Runner(settings.environ, log_dir=settings.work / "logs"))
    target = dataclasses.replace(world.target(), revision="by-deploy")
    program = world.kubectl
    manifest = render(settings.root, world.infra.folder, program, target, world.runner)
    said = world.releaser().run(manifest, target, Secrets(), lambda *_: None)
    assert "verified at" in said
    assert project.version()["revision"] == "by-deploy"
    whoami = world.runner.run(
        query(*world.releaser().cluster.prefix, "auth", "whoami", "--output=json")
    ).stdout
    assert json.loads(whoami)["status"]["userInfo"]["groups"][0] == "shop-deployers"
    world.runner.run(query(*world.releaser().cluster.prefix, "--namespace=shop", "get", "leases"))


def test_the_registry_serves_those_alone_who_have_its_login(live: Project) -> None:
    said = live.client("ecr").get_authorization_token()["authorizationData"][0]

    def asked(login: str) -> int:
        headers = {"Authorization": f"Basic {login}"} if login else {}
        request = urllib.request.Request(f"{said['proxyEndpoint']}/v2/shop/app/tags/list", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as problem:
            return problem.code

    assert asked(said["authorizationToken"]) == 200
    assert asked("") == 401
    assert asked(base64.b64encode(b"AWS:guessed").decode()) == 401
