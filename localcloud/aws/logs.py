"""CloudWatch Logs: what still writes into a deleted group creates it again, as EKS and Fluent Bit do.

The new group has neither the key nor the retention of the old one, and whoever creates the old one again is refused.
"""

from __future__ import annotations

import re
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse

from localcloud.aws.eks import clusters, extra
from localcloud.aws.patching import add, wrap

WRITTEN = re.compile("/aws/eks/(?P<logging>[^/]+)/cluster|/aws/containerinsights/(?P<observed>[^/]+)/[a-z]+")
OBSERVER = "amazon-cloudwatch-observability"


@wrap(LogsBackend, "delete_log_group")
def delete_log_group(original: Any, self: Any, log_group_name: str) -> None:
    """Delete the group; a cluster that logs into it creates it again at once."""
    original(self, log_group_name)
    if _written(self.region_name, log_group_name):
        self.ensure_log_group(log_group_name)


@add(LogsResponse, "associate_kms_key")
def associate_kms_key(self: Any) -> str:
    """Encrypt the group with another key, as Terraform has it do that adopts a group."""
    _group(self).kms_key_id = self._get_param("kmsKeyId")
    return ""


@add(LogsResponse, "disassociate_kms_key")
def disassociate_kms_key(self: Any) -> str:
    """Encrypt the group with CloudWatch's own key."""
    _group(self).kms_key_id = None
    return ""


def _group(response: Any) -> Any:
    groups, name = response.logs_backend.groups, response._get_param("logGroupName")  # noqa: SLF001 (as moto's own)
    if name not in groups:
        raise ResourceNotFoundException
    return groups[name]


def _written(region: str, group: str) -> bool:
    """Return whether the control plane of a cluster, or the agents of its add-on, write into GROUP."""
    match = WRITTEN.fullmatch(group)
    cluster = match and clusters(region).get(match["logging"] or match["observed"])
    if not (match and cluster):
        return False
    if match["observed"]:
        return OBSERVER in extra(cluster).addons
    return any(setup.get("enabled") and setup.get("types") for setup in _logging(cluster))


def _logging(cluster: Any) -> list[dict[str, Any]]:
    return (cluster.logging or {}).get("clusterLogging") or []
