"""What left the manifest leaves the cluster, if Longshore created it."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.rollout import pruning
from longshore.rollout.manifest import Manifest
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import app, hook, item


def test_what_left_the_manifest_is_deleted_unless_somebody_else_created_it(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    ours, theirs, kept = (item("ConfigMap", name) for name in ("ours", "theirs", "kept"))
    kubernetes.apply(theirs, manager="by-hand")
    for thing in (ours, theirs, kept):
        kubernetes.apply(thing)
    old = Manifest(rolled_out=(app("1"), ours, theirs, kept, item("ConfigMap", "never-there")))
    deleted = pruning.prune(
        site_of(kubernetes, kubectl, tmp_path), old=[old], now=Manifest(rolled_out=(app("2"), kept))
    )
    assert deleted == ("configmap/ours",)
    assert kubernetes.names("ConfigMap") == ["kept", "theirs"]


def test_hooks_and_rights_are_never_pruned(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    old = Manifest(before=(hook(),), rights=(item("Namespace", "shop"),), rolled_out=(app("1"),))
    now = Manifest(rolled_out=(app("2"),))
    assert pruning.prune(site_of(kubernetes, kubectl, tmp_path), old=[old], now=now) == ()
    assert kubectl.ran == [], "where nothing left, nothing is asked"


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


@pytest.mark.parametrize(
    ("entries", "created"),
    [
        ([("longshore", EARLY, "")], True),
        ([("longshore", EARLY, ""), ("kubectl-edit", LATE, "")], True),
        ([("longshore", LATE, ""), ("kubectl-create", EARLY, "")], False),
        # Times are whole seconds: somebody who created it in the same one is as early.
        ([("longshore", EARLY, ""), ("kubectl-create", EARLY, "")], False),
        ([("longshore", EARLY, ""), ("kube-controller-manager", EARLY, "status")], True),
        ([("longshore", EARLY, ""), ("kube-controller-manager", EARLY, "")], True),
        ([("kubectl-create", EARLY, "")], False),
        ([], False),
    ],
)
def test_whoever_was_there_first_created_an_object(entries: list[tuple[str, str, str]], created: bool) -> None:
    fields = [{"manager": manager, "time": time, "subresource": part} for manager, time, part in entries]
    assert pruning.created_here({"metadata": {"name": "a", "managedFields": fields}}) is created
