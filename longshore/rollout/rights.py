"""The namespace and the permissions in it: an administrator sets them once, each release checks them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, Precondition
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.process.runner import Runner
from longshore.rollout.manifest import Object, annotation

MARK = "longshore.dev/rights"  # on the namespace: hash of what was set


def ensure(cluster: Cluster, runner: Runner, rights: Iterable[Object]) -> None:
    """Set namespace, roles and bindings to RIGHTS where they differ. Raises Precondition where that is forbidden."""
    rights = list(rights)
    if not rights:
        return
    mark = hashlib.sha256(json.dumps(rights, sort_keys=True).encode()).hexdigest()[:32]
    with contextlib.suppress(*UNANSWERED):
        namespace = Api(cluster, runner).get(f"/api/v1/namespaces/{cluster.namespace}")
        if annotation(namespace, MARK) == mark:
            return
    try:
        runner.run(kubectl.apply(cluster, kubectl.listed(_marked(item, mark) for item in rights)))
    except CommandFailed as problem:
        if "orbidden" not in problem.detail:
            raise
        raise Precondition(
            f"the namespace {cluster.namespace} differs from k8s/base, and these credentials may not change it",
            detail=problem.detail,
            hint="an administrator of the cluster runs the same command once; a deployer can do so from then on",
        ) from None


def _marked(item: Object, mark: str) -> Object:
    if item["kind"] != "Namespace":
        return item
    annotations = {**(item["metadata"].get("annotations") or {}), MARK: mark}
    return {**item, "metadata": {**item["metadata"], "annotations": annotations}}
