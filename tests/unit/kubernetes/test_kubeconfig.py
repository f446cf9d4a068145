"""What is written is what is read, by kubectl too; what cannot be read is one sentence."""

from __future__ import annotations

import base64
import json
import stat
import sys
from pathlib import Path

import pytest

from longshore.errors import Precondition
from longshore.kubernetes import kubeconfig
from longshore.kubernetes.kubeconfig import Endpoint
from longshore.process.command import Secret
from longshore.settings.model import Environment, LocalEnvironment

ENDPOINT = Endpoint(name="shop", server="https://10.0.0.1:6443", authority=base64.b64encode(b"CA").decode())
YAML = """
contexts: [{name: kind, context: {cluster: one, user: me}}, {name: lost, context: {cluster: one, user: nobody}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.crt, tls-server-name: k}}]
users: [{name: me, user: {client-certificate: me.crt, client-key-data: S0VZ, tokenFile: token}}]
"""


def test_a_certificate_user_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "config"
    credential = kubeconfig.certificate(b"CERTIFICATE", b"KEY")
    path.write_text(kubeconfig.text(ENDPOINT, context="here", user="admin", credential=credential))
    access = kubeconfig.read(path, "here")
    assert (access.server, access.authority) == ("https://10.0.0.1:6443", "CA")
    assert (access.certificate, access.key) == ("CERTIFICATE", "KEY")
    assert json.loads(path.read_text())["current-context"] == "here"


def test_a_server_without_tls_has_no_authority(tmp_path: Path) -> None:
    text = kubeconfig.text(Endpoint(name="c", server="http://[::1]:1"), context="c", user="u", credential={})
    assert json.loads(text)["clusters"] == [{"name": "c", "cluster": {"server": "http://[::1]:1"}}]


def test_an_eks_user_gets_tokens_from_our_plugin_and_no_secret_is_written(tmp_path: Path) -> None:
    variables = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_SECRET_ACCESS_KEY": Secret("hidden")}
    local = LocalEnvironment(id="shop-local", state=tmp_path, run=tmp_path)
    environment = Environment(name="local", namespace="shop", local=local, aws_env=variables)
    cluster = kubeconfig.eks(environment, ENDPOINT, tmp_path, "/bin/kubectl")
    assert (cluster.kubectl, cluster.context, cluster.namespace) == ("/bin/kubectl", "local", "shop")
    assert cluster.env == variables
    plugin = kubeconfig.read(cluster.kubeconfig, cluster.context).plugin
    assert plugin["command"] == sys.executable
    assert plugin["args"] == [
        *("-m", "longshore.kubernetes.eks_token", "--cluster-name", "shop", "--region", "eu-central-1"),
        *("--cache", str(tmp_path), "--endpoint-url", "http://127.0.0.1:4566"),
    ]
    assert {variable["name"] for variable in plugin["env"]} == {"AWS_ENDPOINT_URL", "PYTHONPATH"}
    assert "hidden" not in cluster.kubeconfig.read_text()
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600
    before = cluster.kubeconfig.stat().st_ino
    kubeconfig.eks(environment, ENDPOINT, tmp_path, "/bin/kubectl")
    assert cluster.kubeconfig.stat().st_ino == before, "an unchanged file is not written again"


def test_files_are_found_beside_the_kubeconfig_that_names_them(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "config").write_text(YAML)
    access = kubeconfig.read(tmp_path / "config", "kind")
    assert (access.authority, access.certificate, access.key) == ("ca.crt", "me.crt", "KEY")
    assert (access.server_name, access.token_file) == ("k", tmp_path / "token")
    assert "KEY" not in repr(access)


@pytest.mark.parametrize(
    ("text", "context", "wrong"),
    [
        (YAML, "k3d", "has no context called 'k3d'"),
        ("", "kind", "has no context called 'kind'"),
        (YAML, "lost", "it lacks the user 'nobody'"),
        (YAML, "kind", "ca.crt"),
        (": :", "kind", "not YAML"),
        ("[]", "kind", "not a mapping"),
        ("contexts: [{name: kind}]", "kind", "it lacks 'context'"),
        ("contexts: 7", "kind", "cannot be read as a kubeconfig"),
        (YAML.replace("ca.crt", "ca.crt, certificate-authority-data: '!'"), "kind", "cannot be read as a kubeconfig"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_with_a_hint(tmp_path: Path, text: str, context: str, wrong: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(Precondition) as refused:
        kubeconfig.read(tmp_path / "config", context)
    assert str(tmp_path / "config") in refused.value.sentence
    assert wrong in refused.value.sentence
    assert "\n" not in refused.value.sentence
    assert refused.value.hint


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(Precondition, match="nowhere"):
        kubeconfig.read(tmp_path / "nowhere", "kind")


def test_the_contexts_that_there_are_are_listed(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(YAML)
    with pytest.raises(Precondition) as refused:
        kubeconfig.read(tmp_path / "config", "k3d")
    assert refused.value.hint == "its contexts: kind, lost"
