from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from longshore.errors import Precondition
from longshore.local import aws_daemon, pki
from longshore.local.place import Existing, Place

KUBECONFIG = """
contexts: [{name: kind, context: {cluster: one, user: me}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.crt}}]
"""


def test_the_built_in_cluster_is_what_eks_describes(place: Place) -> None:
    pki.ensure(place)
    said = aws_daemon.cluster(place)
    assert said["endpoint"] == "https://198.19.0.6:6443"
    assert said["issuer"] == place.issuer


def test_the_server_listens_on_loopback_and_on_the_link(place: Place) -> None:
    argv = aws_daemon.command(place).argv
    listen = [argv[index + 1] for index, word in enumerate(argv) if word == "--listen"]
    assert listen == ["127.0.0.1:4566", "198.19.0.5:4566"]


def test_an_existing_cluster_is_read_from_its_kubeconfig(place: Place, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    (tmp_path / "ca.crt").write_text("CA")
    existing = Existing(
        context="kind",
        kubeconfig=tmp_path / "config",
        registry="r:1",
        node_address="127.0.0.1",
        docker_config=tmp_path,
    )
    said = aws_daemon.cluster(replace(place, existing=existing))
    assert (said["endpoint"], said["ca"]) == ("https://127.0.0.1:6443", "Q0E=")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [(KUBECONFIG, "no context called 'k3d'"), (": :", "cannot be read"), ("", "no context")],
)
def test_a_context_that_is_not_there_is_named(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "config").write_text(text)
    existing = Existing(
        context="k3d", kubeconfig=tmp_path / "config", registry="", node_address="", docker_config=tmp_path
    )
    with pytest.raises(Precondition, match=wrong):
        aws_daemon.existing_cluster(existing)
