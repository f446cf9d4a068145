"""EKS clusters: what moto forgets of them, and the real API server behind DescribeCluster."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks.models import EKSBackend, eks_backends
from moto.eks.responses import EKSResponse
from moto.sts.models import sts_backends

from longshore.local.aws.mending import Refused, wrap
from longshore.local.aws.options import ACCOUNT, PARTITION, current

Fields = dict[str, Any]


@dataclass
class Extra:
    """What moto's Cluster does not hold, kept on the cluster itself and so in the snapshot. Keys are names or ARNs."""

    addons: dict[str, Fields] = field(default_factory=dict)
    entries: dict[str, Fields] = field(default_factory=dict)
    policies: dict[str, dict[str, Fields]] = field(default_factory=dict)  # principal -> policy -> scope
    associations: dict[str, Fields] = field(default_factory=dict)
    updates: dict[str, Fields] = field(default_factory=dict)
    groups: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # node group -> Auto Scaling group, template


def clusters(region: str) -> dict[str, Any]:
    """Return the clusters of REGION by name."""
    return eks_backends[ACCOUNT][region].clusters


def all_clusters() -> list[Any]:
    """Return every cluster of the account, whatever its region."""
    backends = dict.values(
        eks_backends[ACCOUNT]
    )  # not a look-up by key, which would make a backend per region
    return [cluster for backend in backends for cluster in backend.clusters.values()]


def cluster_of(region: str, name: str) -> Any:
    """Return the cluster, or refuse as EKS does."""
    return find(clusters(region), name, "No cluster found for name")


def extra(cluster: Any) -> Extra:
    """Return what we keep beside CLUSTER."""
    if not hasattr(cluster, "longshore"):
        cluster.longshore = Extra()
    kept: Extra = cluster.longshore
    return kept


def find(known: dict[str, Any], key: str, what: str) -> Any:
    """Return KNOWN[KEY], or refuse with 404 as EKS does."""
    if key not in known:
        raise Refused(404, "ResourceNotFoundException", f"{what}: {key}.")
    return known[key]


def arn(region: str, kind: str, *rest: str) -> str:
    """Return the ARN of something in EKS."""
    return f"arn:{PARTITION}:eks:{region}:{ACCOUNT}:{kind}/" + "/".join(rest)


# An update names these fields of a request; of others it names the members.
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
    found: Fields = {}
    for name, value in asked.items():
        if name in WHOLE:
            found[_title(name)] = value
        else:
            found |= {RENAMED.get(key, _title(key)): inner for key, inner in value.items()}
    return found


def _title(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in name.split("_"))


def update_of(cluster: Any, kind: str, asked: Fields) -> Fields:
    """Record a finished update of CLUSTER to what was ASKED, and return it as DescribeUpdate shows it."""
    update = {
        "id": str(uuid.uuid4()),
        "status": "Successful",
        "type": kind,
        "params": [
            {"type": key, "value": value if isinstance(value, str) else json.dumps(value)}
            for key, value in _parameters(asked).items()
        ],
        "createdAt": time.time(),
        "errors": [],
    }
    extra(cluster).updates[str(update["id"])] = update
    return update


def _network(response: Any, cluster: Any) -> None:
    vpc = {
        "endpointPublicAccess": True,
        "endpointPrivateAccess": False,
        "publicAccessCidrs": ["0.0.0.0/0"],
        "securityGroupIds": [],
        **cluster.resources_vpc_config,
    }
    ec2 = ec2_backends[ACCOUNT][response.region]
    vpc["vpcId"] = ec2.get_subnet(vpc["subnetIds"][0]).vpc_id
    group = ec2.create_security_group(
        name=f"eks-cluster-sg-{cluster.name}-{uuid.uuid4().int % 10**10}",
        description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes,"
        " as well as any managed workloads.",
        vpc_id=vpc["vpcId"],
    )
    vpc["clusterSecurityGroupId"] = group.id
    cluster.resources_vpc_config = vpc
    cluster.kubernetes_network_config = {
        "serviceIpv4Cidr": "172.20.0.0/16",
        "ipFamily": "ipv4",
        "elasticLoadBalancing": {"enabled": False},
        **cluster.kubernetes_network_config,
    }


@wrap(EKSResponse, "create_cluster")
def create_cluster(original: Any, self: Any) -> Any:
    """Keep accessConfig and upgradePolicy, and fill in what EKS answers by default."""
    from longshore.local.aws.eks_access import associate, put_entry

    result = original(self)
    cluster = result.result["cluster"]
    _network(self, cluster)
    access = {"authenticationMode": "CONFIG_MAP", **(self._get_param("accessConfig") or {})}
    cluster.access_config = {"authenticationMode": access["authenticationMode"]}
    cluster.upgrade_policy = self._get_param("upgradePolicy") or {"supportType": "EXTENDED"}
    cluster.platformVersion = "eks.1"
    issuer = f"https://oidc.eks.{self.region}.amazonaws.com/id/{uuid.uuid4().hex.upper()}"
    cluster.identity = {"oidc": {"issuer": issuer}}
    cluster.certificate_authority = {"data": base64.b64encode(b"no cluster behind this yet").decode()}
    admin = access.get("bootstrapClusterCreatorAdminPermissions", True)
    if admin and access["authenticationMode"] != "CONFIG_MAP":
        who = sts_backends[ACCOUNT][PARTITION].get_caller_identity(self.get_access_key(), self.region)[1]
        put_entry(cluster, self.region, {"principalArn": who})
        policy = f"arn:{PARTITION}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
        associate(extra(cluster), who, policy, {"type": "cluster", "namespaces": []})
    _show_the_real_one(cluster)
    return result


def _show_the_real_one(cluster: Any) -> None:
    real = current().real_cluster()
    if real.get("name", cluster.name) != cluster.name:
        return
    if real.get("endpoint"):
        cluster.endpoint = real["endpoint"]
    if real.get("ca"):
        cluster.certificate_authority = {"data": real["ca"]}
    if real.get("issuer"):
        cluster.identity = {"oidc": {"issuer": real["issuer"]}}


@wrap(EKSBackend, "describe_cluster")
def describe_cluster(original: Any, self: Any, name: str) -> Any:
    """Name the endpoint, CA and issuer of the real API server."""
    cluster = original(self, name)
    _show_the_real_one(cluster)
    return cluster


@wrap(EKSBackend, "delete_cluster")
def delete_cluster(original: Any, self: Any, name: str) -> Any:
    """Delete the security group that EKS made along with the cluster."""
    cluster = original(self, name)
    group = cluster.resources_vpc_config.get("clusterSecurityGroupId")
    if group:
        ec2_backends[ACCOUNT][self.region_name].delete_security_group(group_id=group)
    return cluster


MERGED = {  # request field -> attribute, kind of update
    "resourcesVpcConfig": ("resources_vpc_config", "EndpointAccessUpdate"),
    "accessConfig": ("access_config", "AccessConfigUpdate"),
    "upgradePolicy": ("upgrade_policy", "UpgradePolicyUpdate"),
    "kubernetesNetworkConfig": ("kubernetes_network_config", "ConfigUpdate"),
}


@wrap(EKSResponse, "update_cluster_config")
def update_cluster_config(_original: Any, self: Any) -> Any:
    """Merge what was asked for into what there is (moto replaces it), and answer with an update."""
    cluster = cluster_of(self.region, self._get_param("name"))
    changed, kind = {}, "ConfigUpdate"
    for name, (attribute, its_kind) in MERGED.items():
        value = self._get_param(name)
        if value:
            setattr(cluster, attribute, {**getattr(cluster, attribute), **value})
            changed[name], kind = value, its_kind
    logging = self._get_param("logging")
    if logging:
        enabled = dict.fromkeys(("api", "audit", "authenticator", "controllerManager", "scheduler"), False)
        for source in (cluster.logging, logging):
            for setup in source["clusterLogging"]:
                enabled.update(dict.fromkeys(setup["types"], setup["enabled"]))
        cluster.logging = {
            "clusterLogging": [
                {"types": [name for name, on in enabled.items() if on is wanted], "enabled": wanted}
                for wanted in (True, False)
            ]
        }
        changed["logging"], kind = logging, "LoggingUpdate"
    return ActionResult({"update": update_of(cluster, kind, changed)})
