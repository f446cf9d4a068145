"""EKS node groups: an Auto Scaling group with instances behind each, as in AWS."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse

from localcloud.aws import eks_limits
from localcloud.aws.eks import extra, update_of
from localcloud.aws.eks_access import put_entry
from localcloud.aws.options import ACCOUNT
from localcloud.aws.patching import wrap


def release_of(version: str) -> str:
    """Return the AMI release for Kubernetes VERSION, made up for this AWS."""
    return f"{version}.0-20251101"


@wrap(EKSResponse, "create_nodegroup")
def create_response(original: Any, self: Any) -> Any:
    """Keep updateConfig and nodeRepairConfig, which moto drops."""
    result = original(self)
    group = result.result["nodegroup"]
    group.update_config = self._get_param("updateConfig") or {"maxUnavailable": 1}
    group.node_repair_config = self._get_param("nodeRepairConfig")
    return result


@wrap(EKSBackend, "create_nodegroup")
def create_nodegroup(original: Any, self: Any, **asked: Any) -> Any:
    """Remove the fields that moto makes up, create the Auto Scaling group, give the nodes an access entry."""
    eks_limits.node_group_name(asked["nodegroup_name"])
    eks_limits.role(asked["node_role"], "The role with name {name} cannot be found.")
    if asked.get("scaling_config"):
        eks_limits.sizes(asked["scaling_config"])
    group = original(self, **asked)
    cluster = self.clusters[group.cluster_name]
    if not asked.get("remote_access"):
        group.remote_access = None
    if asked.get("launch_template"):
        group.disk_size = None
    if not asked.get("version"):
        group.version = cluster.version
    if not asked.get("release_version"):
        group.release_version = release_of(group.version)
    _make_scaling_group(self.region_name, cluster, group, asked.get("launch_template"))
    entries = extra(cluster).entries
    if cluster.access_config["authenticationMode"] != "CONFIG_MAP" and group.node_role not in entries:
        put_entry(cluster, self.region_name, {"principalArn": group.node_role, "type": "EC2_LINUX"})
    return group


def _make_scaling_group(region: str, cluster: Any, group: Any, template: dict[str, str] | None) -> None:
    ec2 = ec2_backends[ACCOUNT][region]
    data: dict[str, Any] = {}
    if template:
        version = str(template.get("version") or "$Default")
        data = dict(ec2.get_launch_template(template["id"]).get_version(version).data)
    data.setdefault("ImageId", ec2.describe_images(owners=["amazon"])[0].id)
    data.setdefault("InstanceType", group.instance_types[0])
    copy = ec2.create_launch_template(f"eks-{group.uuid}", "", data, {})
    name, sizes = f"eks-{group.nodegroup_name}-{group.uuid}", group.scaling_config
    tags = {"eks:cluster-name": cluster.name, "eks:nodegroup-name": group.nodegroup_name}
    empty = ("availability_zones", "load_balancers", "target_group_arns", "termination_policies")
    unset = ("default_cooldown", "health_check_period", "health_check_type", "placement_group")
    wanted: dict[str, Any] = {key: [] for key in empty} | dict.fromkeys(unset)
    wanted |= {"min_size": sizes["minSize"], "max_size": sizes["maxSize"], "desired_capacity": sizes["desiredSize"]}
    wanted |= {"launch_config_name": "", "launch_template": {"LaunchTemplateId": copy.id, "Version": "1"}}
    wanted["tags"] = [{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()]
    wanted["vpc_zone_identifier"] = ",".join(group.subnets)
    autoscaling_backends[ACCOUNT][region].create_auto_scaling_group(name, **wanted)
    group.resources = {"autoScalingGroups": [{"name": name}]}
    extra(cluster).groups[group.nodegroup_name] = (name, copy.id)


@wrap(EKSBackend, "update_nodegroup_config")
def update_nodegroup_config(original: Any, self: Any, **asked: Any) -> Any:
    """Record the update, and resize the Auto Scaling group like the node group."""
    if asked.get("scaling_config"):
        cluster = self.clusters.get(asked["cluster_name"])
        group = cluster.nodegroups.get(asked["nodegroup_name"]) if cluster else None
        eks_limits.sizes({**(group.scaling_config if group else {}), **asked["scaling_config"]})
    original(self, **asked)
    cluster = self.clusters[asked["cluster_name"]]
    if asked.get("scaling_config"):
        sizes = cluster.nodegroups[asked["nodegroup_name"]].scaling_config
        name, _ = extra(cluster).groups[asked["nodegroup_name"]]
        group = autoscaling_backends[ACCOUNT][self.region_name].autoscaling_groups[name]
        group.min_size, group.max_size = sizes["minSize"], sizes["maxSize"]
        group.set_desired_capacity(sizes["desiredSize"])
    changed = ("labels", "taints", "scaling_config", "update_config", "node_repair_config")
    return update_of(cluster, "ConfigUpdate", {name: asked[name] for name in changed if asked.get(name)})


@wrap(EKSBackend, "delete_nodegroup")
def delete_nodegroup(original: Any, self: Any, cluster_name: str, nodegroup_name: str) -> Any:
    """Delete the Auto Scaling group, its instances and its launch template with the node group."""
    group = original(self, cluster_name, nodegroup_name)
    scaling_group = extra(self.clusters[cluster_name]).groups.pop(nodegroup_name, None)
    if scaling_group:
        name, template = scaling_group
        autoscaling = autoscaling_backends[ACCOUNT][self.region_name]
        autoscaling.set_desired_capacity(name, 0)
        autoscaling.delete_auto_scaling_group(name)
        ec2_backends[ACCOUNT][self.region_name].delete_launch_template("", template)
    return group
