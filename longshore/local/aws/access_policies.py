"""What EKS's access policies allow in Kubernetes (the JSON beside this, as AWS documents it), and their names in the local cluster.

They resemble Kubernetes' own `edit` and `view` and are narrower: `AmazonEKSEditPolicy` allows no Leases, for one. EKS itself
evaluates them beside RBAC; here each is a ClusterRole, bound to a group that no access entry may hand out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longshore.local.aws.options import PARTITION

PREFIX = f"arn:{PARTITION}:eks::aws:cluster-access-policy/"
GROUPS = "eks:"  # an access entry's own groups may not begin like this
POLICIES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())


def rules(policy: str) -> list[dict[str, Any]]:
    """Return the rules of the ClusterRole that stands for POLICY."""
    said = POLICIES[policy]
    found = rules(said["includes"]) if "includes" in said else []
    for verbs, table in said.items():
        for group, resources in table.items() if verbs != "includes" else ():
            found.append({"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()})
    if policy == "AmazonEKSClusterAdminPolicy":
        found.append({"nonResourceURLs": ["*"], "verbs": ["*"]})
    return found


def grants(policies: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (policy's name, namespace) for each association of a principal; the namespace is empty for the whole cluster."""
    for policy, scope in policies.items():
        for namespace in [""] if scope["type"] == "cluster" else scope["namespaces"]:
            yield policy.removeprefix(PREFIX), namespace


def group(policy: str, namespace: str = "") -> str:
    """Return the Kubernetes group that stands for POLICY in NAMESPACE, or in the cluster."""
    return f"{GROUPS}{policy}" + (f":{namespace}" if namespace else "")
