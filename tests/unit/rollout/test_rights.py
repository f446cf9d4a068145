"""The namespace and the permissions in it are set once, by whoever may."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import Precondition
from longshore.rollout import rights
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import item

RIGHTS = (item("Namespace", "shop"), item("Role", "deployers", "rbac.authorization.k8s.io/v1"))


def test_rights_are_set_once(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    cluster = site_of(kubernetes, kubectl, tmp_path).cluster
    rights.ensure(cluster, kubectl, RIGHTS)
    assert "annotations" not in kubernetes.get("Role", "deployers")["metadata"]
    rights.ensure(cluster, kubectl, RIGHTS)
    assert kubectl.verbs() == ["apply"]
    assert "annotations" not in RIGHTS[0]["metadata"], "the manifest itself is left alone"


def test_rights_that_changed_are_set_again(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    cluster = site_of(kubernetes, kubectl, tmp_path).cluster
    rights.ensure(cluster, kubectl, RIGHTS)
    rights.ensure(cluster, kubectl, (*RIGHTS, item("Role", "readers", "rbac.authorization.k8s.io/v1")))
    assert kubectl.verbs() == ["apply", "apply"]


def test_a_deployer_is_told_to_ask_an_administrator(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.forbidden = True
    with pytest.raises(Precondition, match="the namespace shop differs") as refused:
        rights.ensure(site_of(kubernetes, kubectl, tmp_path).cluster, kubectl, RIGHTS)
    assert "an administrator" in refused.value.hint


def test_an_overlay_without_a_namespace_has_no_rights_to_set(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    rights.ensure(site_of(kubernetes, kubectl, tmp_path).cluster, kubectl, ())
    assert kubectl.ran == []
