"""The namespace and what deployers may do in it: an administrator sets them once, a release sees to it that they are as wanted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, Precondition
from longshore.rollout.api import UNANSWERED, Api
from longshore.runner import Runner

KINDS = ("Namespace", "Role", "RoleBinding")  # EKS's edit policy lets nobody change these
MARK = "longshore.dev/rights"  # on the namespace: hash of what was set there
KIND = re.compile(r"^kind: (\S+)$", re.MULTILINE)


def split(text: str) -> tuple[str, str]:
    """Return what of the manifest TEXT is for an administrator to set, and what a release applies."""
    parts: tuple[list[str], list[str]] = ([], [])
    for document in text.split("\n---\n"):
        found = KIND.search(document)
        parts[0 if found and found[1] in KINDS else 1].append(document)
    return "\n---\n".join(parts[0]), "\n---\n".join(parts[1])


def ensure(cluster: Cluster, runner: Runner, text: str) -> None:
    """Have the namespace and the rights in it be those of TEXT.

    Raises Precondition where they are not and these credentials may not set them.
    """
    if not text:
        return
    mark = hashlib.sha256(text.encode()).hexdigest()[:32]
    with contextlib.suppress(*UNANSWERED):
        found = Api(cluster, runner).get(f"/api/v1/namespaces/{cluster.namespace}")["metadata"]
        if found.get("annotations", {}).get(MARK) == mark:
            return
    try:
        runner.run(kubectl.apply(cluster, _marked(text, mark)))
    except CommandFailed as problem:
        if "orbidden" not in problem.detail:
            raise
        raise Precondition(
            f"the namespace {cluster.namespace} is not as k8s/base says, and these credentials may not make it so",
            detail=problem.detail,
            hint="an administrator of the cluster runs the same command once; after that a deployer's rights are enough",
        ) from None


def _marked(text: str, mark: str) -> str:
    import yaml

    things = list(yaml.safe_load_all(text))
    for thing in things:
        if thing["kind"] == "Namespace":
            thing["metadata"].setdefault("annotations", {})[MARK] = mark
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
