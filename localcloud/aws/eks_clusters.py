"""EKS clusters: the fields that moto drops, and the real API server behind DescribeCluster."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse
from moto.sts.models import sts_backends

from localcloud.aws import eks_limits
from localcloud.aws.eks import cluster_of, extra, update_of
from localcloud.aws.eks_access import associate, put_entry
from localcloud.aws.options import ACCOUNT, PARTITION, current
from localcloud.aws.patching import wrap

NEWEST = "1.35"  # what a cluster is made of that asks for no version


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
    """Keep accessConfig and upgradePolicy, fill in EKS's defaults, and refuse what EKS refuses."""
    eks_limits.version_offered(self._get_param("version") or NEWEST)
    eks_limits.zones(self._get_param("name"), self.region, self._get_param("resourcesVpcConfig")["subnetIds"])
    missing = (
        "Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
    )
    eks_limits.role(self._get_param("roleArn"), missing)
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
        creator = sts_backends[ACCOUNT][PARTITION].get_caller_identity(self.get_access_key(), self.region)[1]
        put_entry(cluster, self.region, {"principalArn": creator})
        policy = f"arn:{PARTITION}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
        associate(extra(cluster), creator, policy, {"type": "cluster", "namespaces": []})
    _show_real_cluster(cluster)
    return result


def _show_real_cluster(cluster: Any) -> None:
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
    """Return the endpoint, CA and issuer of the real API server."""
    cluster = original(self, name)
    _show_real_cluster(cluster)
    return cluster


@wrap(EKSBackend, "delete_cluster")
def delete_cluster(original: Any, self: Any, name: str) -> Any:
    """Delete the security group that EKS created with the cluster."""
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
    """Merge the request into the cluster (moto replaces whole fields), and return an update."""
    cluster = cluster_of(self.region, self._get_param("name"))
    changed, kind = {}, "ConfigUpdate"
    for name, (attribute, kind_of_update) in MERGED.items():
        value = self._get_param(name)
        if value:
            setattr(cluster, attribute, {**getattr(cluster, attribute), **value})
            changed[name], kind = value, kind_of_update
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
