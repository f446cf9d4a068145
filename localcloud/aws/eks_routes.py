"""EKS add-ons, updates, versions and tags, which moto lacks."""

from __future__ import annotations

import logging
import time
import uuid

from localcloud.aws import auto_monitor, eks_limits
from localcloud.aws.eks import Fields, arn, cluster_of, clusters, extra, find, stamped, update_of
from localcloud.aws.eks_nodes import release_of
from localcloud.aws.patching import Refused
from localcloud.aws.routes import Request, route

LOG = logging.getLogger("localcloud.aws")
DEFAULT_VERSIONS = {
    "vpc-cni": "v1.21.1-eksbuild.3",
    "coredns": "v1.13.2-eksbuild.1",
    "kube-proxy": "v1.35.0-eksbuild.2",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
    "metrics-server": "v0.8.1-eksbuild.6",
    "amazon-cloudwatch-observability": "v5.3.0-eksbuild.1",
    "aws-ebs-csi-driver": "v1.57.1-eksbuild.1",
}
MADE_BY = {"owner": "aws", "publisher": "eks"}


@route("GET", "/clusters/{c}/updates/{u}")
def describe_update(r: Request, c: str, u: str) -> Fields:
    return {"update": find(extra(cluster_of(r.region, c)).updates, u, "No update found for ID")}


@route("POST", "/clusters/{c}/updates")
def update_cluster_version(r: Request, c: str) -> Fields:
    cluster = cluster_of(r.region, c)
    eks_limits.upgrade(cluster.version, r.body["version"])
    cluster.version = r.body["version"]
    return {"update": update_of(cluster, "VersionUpdate", {"version": cluster.version})}


@route("POST", "/clusters/{c}/encryption-config/associate")
def associate_encryption_config(r: Request, c: str) -> Fields:
    cluster = cluster_of(r.region, c)
    cluster.encryption_config = r.body["encryptionConfig"]
    return {"update": update_of(cluster, "AssociateEncryptionConfig", {})}


@route("POST", "/clusters/{c}/node-groups/{n}/update-version")
def update_nodegroup_version(r: Request, c: str, n: str) -> Fields:
    cluster = cluster_of(r.region, c)
    group = find(cluster.nodegroups, n, "No node group found for name")
    if r.body.get("version"):
        eks_limits.node_upgrade(group.version, r.body["version"], cluster.version)
        group.version, group.release_version = r.body["version"], release_of(r.body["version"])
    if r.body.get("releaseVersion"):
        group.release_version = r.body["releaseVersion"]
    if r.body.get("launchTemplate"):
        group.launch_template = {**(group.launch_template or {}), **r.body["launchTemplate"]}
    return {"update": update_of(cluster, "VersionUpdate", {})}


@route("GET", "/addons/supported-versions")
def describe_addon_versions(r: Request) -> Fields:
    wanted, version = r.parameter("addonName"), r.parameter("kubernetesVersion") or "1.35"
    compatible = [{"clusterVersion": version, "platformVersions": ["*"], "defaultVersion": True}]
    common = {"architecture": ["amd64", "arm64"], "requiresConfiguration": False, "compatibilities": compatible}
    addons = [
        {"addonName": name, "type": "networking", **MADE_BY, "addonVersions": [{"addonVersion": default, **common}]}
        for name, default in DEFAULT_VERSIONS.items()
        if wanted in (None, name)
    ]
    return {"addons": addons}


@route("POST", "/clusters/{c}/addons")
def create_addon(r: Request, c: str) -> Fields:
    cluster, name = cluster_of(r.region, c), r.body["addonName"]
    addons = extra(cluster).addons
    if name in addons:
        raise Refused(409, "ResourceInUseException", "Addon already exists.")
    if name not in DEFAULT_VERSIONS:
        raise Refused(400, "InvalidParameterException", f"Addon {name} specified is not supported")
    if r.body.get("addonVersion"):
        eks_limits.addon_version(name, r.body["addonVersion"], cluster.version)
    addon = {"addonName": name, "clusterName": c, "status": "ACTIVE", "health": {"issues": []}, **MADE_BY}
    addon |= {"addonVersion": r.body.get("addonVersion") or DEFAULT_VERSIONS[name], **stamped(r.body)}
    addon |= {key: r.body[key] for key in ("serviceAccountRoleArn", "configurationValues") if r.body.get(key)}
    addons[name] = addon | {"addonArn": arn(r.region, "addon", c, name, str(uuid.uuid4()))}
    auto_monitor.follow(LOG.warning)
    return {"addon": addons[name]}


@route("GET", "/clusters/{c}/addons")
def list_addons(r: Request, c: str) -> Fields:
    return {"addons": list(extra(cluster_of(r.region, c)).addons)}


@route("GET", "/clusters/{c}/addons/{n}")
def describe_addon(r: Request, c: str, n: str) -> Fields:
    return {"addon": find(extra(cluster_of(r.region, c)).addons, n, "No addon found")}


@route("POST", "/clusters/{c}/addons/{n}/update")
def update_addon(r: Request, c: str, n: str) -> Fields:
    cluster = cluster_of(r.region, c)
    addon: Fields = find(extra(cluster).addons, n, "No addon found")
    if r.body.get("addonVersion"):
        eks_limits.addon_version(n, r.body["addonVersion"], cluster.version)
    for key in ("addonVersion", "serviceAccountRoleArn", "configurationValues"):
        if r.body.get(key) is not None:
            addon[key] = r.body[key]
    addon["modifiedAt"] = time.time()
    auto_monitor.follow(LOG.warning)
    return {"update": update_of(cluster, "AddonUpdate", {})}


@route("DELETE", "/clusters/{c}/addons/{n}")
def delete_addon(r: Request, c: str, n: str) -> Fields:
    addons = extra(cluster_of(r.region, c)).addons
    deleted: Fields = find(addons, n, "No addon found")
    del addons[n]
    auto_monitor.follow(LOG.warning)
    return {"addon": deleted}


def _tags(region: str, resource: str) -> dict[str, str]:
    """Return the tags, to read or to change, of the resource with this ARN."""
    for cluster in clusters(region).values():
        state = extra(cluster)
        tags: dict[str, dict[str, str]] = {cluster.arn: cluster.tags}
        tags |= {group.arn: group.tags for group in cluster.nodegroups.values()}
        tags |= {addon["addonArn"]: addon["tags"] for addon in state.addons.values()}
        tags |= {entry["accessEntryArn"]: entry["tags"] for entry in state.entries.values()}
        tags |= {association["associationArn"]: association["tags"] for association in state.associations.values()}
        if resource in tags:
            return tags[resource]
    raise Refused(404, "NotFoundException", f"Resource was not found: {resource}")


@route("GET", "/tags/{a}")
def list_tags_for_resource(r: Request, a: str) -> Fields:
    return {"tags": _tags(r.region, a)}


@route("POST", "/tags/{a}")
def tag_resource(r: Request, a: str) -> Fields:
    _tags(r.region, a).update(r.body["tags"])
    return {}


@route("DELETE", "/tags/{a}")
def untag_resource(r: Request, a: str) -> Fields:
    tags = _tags(r.region, a)
    for key, value in r.query:
        if key == "tagKeys":
            tags.pop(value, None)
    return {}
