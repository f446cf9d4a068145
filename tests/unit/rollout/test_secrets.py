"""Secrets come from Secrets Manager at release time and are kept as long as a release mounts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from longshore import aws
from longshore.errors import Precondition
from longshore.process.command import Secret
from longshore.rollout import secrets
from longshore.rollout.manifest import Manifest
from longshore.rollout.records import Unreadable
from longshore.rollout.secrets import Secrets
from longshore.settings.model import Environment
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import item, recorded

ARN = "arn:aws:secretsmanager:eu-central-1:1:secret:shop/flask-abcdef"
ENVIRONMENT = Environment(name="production", region="eu-central-1", secrets={"KEY": "shop/flask#key", "RAW": "raw"})


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    client = boto3.client("secretsmanager", region_name="eu-central-1", **keys)
    monkeypatch.setattr(aws, "client", lambda *_: client)
    with Stubber(client) as stubber:
        yield stubber


def holds(vault: Stubber, name: str, text: str, version: str = "v" * 32) -> None:
    answer = {"ARN": ARN, "VersionId": version, "SecretString": text}
    vault.add_response("get_secret_value", answer, {"SecretId": name})


def read(vault: Stubber, version: str = "v" * 32) -> Secrets:
    holds(vault, "shop/flask", json.dumps({"key": "sesame"}), version)
    holds(vault, "raw", "open")
    return secrets.read(ENVIRONMENT)


def mounting(*names: str) -> Manifest:
    return Manifest(rolled_out=(item("Pod", "p", spec={"volumes": [{"secret": {"secretName": n}} for n in names]}),))


def test_a_secret_is_read_whole_or_by_the_key_of_its_json(vault: Stubber) -> None:
    assert read(vault).values == (("KEY", Secret("sesame")), ("RAW", Secret("open")))


def test_another_version_is_another_secret(vault: Stubber) -> None:
    names = [read(vault, version * 32).name for version in "vvw"]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("text", ["no JSON", '{"other": 1}', "[1]"])
def test_a_key_that_is_not_there_is_a_missing_precondition(vault: Stubber, text: str) -> None:
    holds(vault, "shop/flask", text)
    with pytest.raises(Precondition, match=r"the secret shop/flask has no text, or no key 'key'"):
        secrets.read(ENVIRONMENT)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_secret_that_cannot_be_read_is_named(vault: Stubber, code: str) -> None:
    vault.add_client_error("get_secret_value", code)
    with pytest.raises(Precondition, match=rf"the secret shop/flask \(KEY\) cannot be read: {code}"):
        secrets.read(ENVIRONMENT)


def test_values_reach_kubectl_on_its_input_and_nothing_else(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    mounted = Secrets(name="app-secrets-1", values=(("KEY", Secret("sesame")),))
    secrets.apply(site_of(kubernetes, kubectl, tmp_path).cluster, kubectl, mounted)
    (command,) = kubectl.ran
    assert "sesame" not in f"{command} {command.stdin}"
    assert isinstance(command.stdin, Secret)
    assert set(command.secrets) == {Secret("sesame"), Secret("c2VzYW1l")}
    stored: dict[str, Any] = kubernetes.get("Secret", "app-secrets-1")
    assert (stored["data"], stored["immutable"]) == ({"KEY": "c2VzYW1l"}, True)


def test_a_secret_that_no_release_mounts_is_deleted(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    cluster = site_of(kubernetes, kubectl, tmp_path).cluster
    for name in ("app-secrets-1", "app-secrets-12", "app-secrets-2"):
        secrets.apply(cluster, kubectl, Secrets(name=name))
    kubernetes.put(item("Secret", "somebody-elses"))
    secrets.prune(cluster, kubectl, mounting("app-secrets-12"), [recorded(1, mounting("app-secrets-2").text)])
    assert kubernetes.names("Secret") == ["app-secrets-12", "app-secrets-2", "somebody-elses"]


def test_nothing_is_deleted_while_the_manifest_of_a_release_cannot_be_read(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    cluster = site_of(kubernetes, kubectl, tmp_path).cluster
    secrets.apply(cluster, kubectl, Secrets(name="app-secrets-1"))
    facts = {"revision": "", "digest": "", "actor": "", "started": ""}
    secrets.prune(cluster, kubectl, mounting(), [Unreadable(number=1, **facts, reason="it is damaged", hint="")])
    assert kubernetes.names("Secret") == ["app-secrets-1"]
