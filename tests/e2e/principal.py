"""Someone who asks the cluster with AWS credentials of their own."""

from __future__ import annotations

import datetime
import json
import subprocess
from pathlib import Path

import boto3
import pytest

from longshore.kubernetes import eks_token
from tests.e2e.project import REGION, Project, kubectl

EVERYBODY = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


class Principal:
    """Someone with AWS credentials, who reaches the cluster with an EKS token."""

    def __init__(self, project: Project, folder: Path, key: dict[str, str]) -> None:
        self.project, self.folder = project, folder
        self.session = boto3.Session(
            key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken"), region_name=REGION
        )

    def token(self, cluster: str = "", ago: int = 0) -> str:
        """Return a token as kubectl's plugin makes it; for another CLUSTER, or one made AGO seconds ago."""
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
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token or self.token()}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        file = self.folder / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config))
        argv = [kubectl(), f"--kubeconfig={file}", *words]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30, check=False)

    def may(self, namespace: str) -> list[tuple[str, str, str]]:
        """Return the rights in NAMESPACE as (verb, group, resource), without those that everybody has."""
        ask = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        ran = self.kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(ask))
        assert ran.returncode == 0, ran.stderr
        granted = json.loads(ran.stdout)["status"]["resourceRules"]
        return sorted(
            {
                (verb, group, resource)
                for rule in granted
                for verb in rule["verbs"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                if resource not in EVERYBODY
            }
        )

    def can(self, question: str, namespace: str, token: str = "") -> bool:
        answer = self.kubectl("auth", "can-i", *question.split(), f"--namespace={namespace}", token=token)
        return answer.stdout.strip() == "yes"
