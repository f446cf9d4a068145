"""EKS: the state that moto's clusters lack, and what the other EKS modules share."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.eks.models import eks_backends

from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import Refused

Fields = dict[str, Any]


@dataclass
class Extra:
    """What moto's Cluster lacks, kept on it and so in the snapshot, which names this class. Keys are names or ARNs."""

    addons: dict[str, Fields] = field(default_factory=dict)
    entries: dict[str, Fields] = field(default_factory=dict)
    policies: dict[str, dict[str, Fields]] = field(default_factory=dict)  # principal -> policy -> scope
    associations: dict[str, Fields] = field(default_factory=dict)
    updates: dict[str, Fields] = field(default_factory=dict)
    groups: dict[str, tuple[str, str]] = field(default_factory=dict)  # node group -> Auto Scaling group, template


def clusters(region: str) -> dict[str, Any]:
    """Return the clusters of REGION by name."""
    return eks_backends[ACCOUNT][region].clusters


def all_clusters() -> list[Any]:
    """Return every cluster of the account, whatever its region."""
    backends = dict.values(eks_backends[ACCOUNT])  # not a look-up by key, which would make a backend per region
    return [cluster for backend in backends for cluster in backend.clusters.values()]


def cluster_of(region: str, name: str) -> Any:
    """Return the cluster, or refuse with 404."""
    return find(clusters(region), name, "No cluster found for name")


def extra(cluster: Any) -> Extra:
    """Return what we keep on CLUSTER."""
    if not hasattr(cluster, "longshore"):
        cluster.longshore = Extra()
    state: Extra = cluster.longshore
    return state


def find(items: dict[str, Any], key: str, what: str) -> Any:
    """Return ITEMS[KEY], or refuse with 404."""
    if key not in items:
        raise Refused(404, "ResourceNotFoundException", f"{what}: {key}.")
    return items[key]


def stamped(asked: Fields) -> Fields:
    """Return the tags that are ASKED for and the times of a resource that is created now."""
    now = time.time()
    return {"tags": asked.get("tags") or {}, "createdAt": now, "modifiedAt": now}


def arn(region: str, kind: str, *rest: str) -> str:
    """Return the ARN of a resource of EKS."""
    return f"arn:{PARTITION}:eks:{region}:{ACCOUNT}:{kind}/" + "/".join(rest)


# An update lists these fields of a request as a whole, and the members of all others.
WHOLE = ("upgradePolicy", "kubernetesNetworkConfig", "node_repair_config", "version")
RENAMED = {
    "subnetIds": "Subnets",
    "securityGroupIds": "SecurityGroups",
    "addOrUpdateLabels": "LabelsToAdd",
    "removeLabels": "LabelsToRemove",
    "addOrUpdateTaints": "TaintsToAdd",
    "removeTaints": "TaintsToRemove",
}


def _parameters(asked: Fields) -> Fields:
    parameters: Fields = {}
    for name, value in asked.items():
        if name in WHOLE:
            parameters[_title(name)] = value
        else:
            parameters |= {RENAMED.get(key, _title(key)): inner for key, inner in value.items()}
    return parameters


def _title(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in name.split("_"))


def update_of(cluster: Any, kind: str, asked: Fields) -> Fields:
    """Record a completed update of CLUSTER to what was ASKED for, and return it as DescribeUpdate does."""
    identifier, parameters = str(uuid.uuid4()), _parameters(asked)
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in parameters.items()}
    update: Fields = {"id": identifier, "status": "Successful", "type": kind, "createdAt": time.time(), "errors": []}
    update["params"] = [{"type": key, "value": text} for key, text in texts.items()]
    extra(cluster).updates[identifier] = update
    return update
