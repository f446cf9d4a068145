"""EKS's access policies: their rules, from the JSON file beside this module, and their names in the local cluster.

The rules are those that AWS documents, narrower than Kubernetes' `edit` and `view`: `AmazonEKSEditPolicy` does not
allow Leases, for example. EKS evaluates them next to RBAC; here each is a ClusterRole, bound to a group that no access
entry may assign.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.aws.options import PARTITION

PREFIX = f"arn:{PARTITION}:eks::aws:cluster-access-policy/"
GROUPS = "eks:"  # prefix of groups that an access entry may not assign
POLICIES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())


def rules(policy: str) -> list[dict[str, Any]]:
    """Return the rules of POLICY's ClusterRole."""
    definition = POLICIES[policy]
    allowed = rules(definition["includes"]) if "includes" in definition else []
    for verbs, table in definition.items():
        for group, resources in table.items() if verbs != "includes" else ():
            allowed.append({"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()})
    if policy == "AmazonEKSClusterAdminPolicy":
        allowed.append({"nonResourceURLs": ["*"], "verbs": ["*"]})
    return allowed


def grants(policies: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (policy, namespace) for each of a principal's associations; no namespace means the whole cluster."""
    for policy, scope in policies.items():
        for namespace in [""] if scope["type"] == "cluster" else scope["namespaces"]:
            yield policy.removeprefix(PREFIX), namespace


def group(policy: str, namespace: str = "") -> str:
    """Return the Kubernetes group that stands for POLICY in NAMESPACE, or in the whole cluster."""
    return f"{GROUPS}{policy}" + (f":{namespace}" if namespace else "")
