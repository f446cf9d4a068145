"""Terraform's calls to EKS: a cluster, its nodes, access to it, its add-ons."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.aws_process import ACCOUNT, REGION
from tests.integration.aws_recorder import Recorder

CLUSTER = "contract"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/contract"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


def roles(ask: Recorder) -> None:
    """Create the roles that the calls below name: EKS looks whether they exist."""
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    for path, name in (("/", "contract"), ("/", "contract2"), ("/", "nodes"), ("/team/", "deploy")):
        ask("iam", "create_role", RoleName=name, Path=path, AssumeRolePolicyDocument=document)


def cluster(ask: Recorder, subnets: list[str]) -> None:
    asked = {
        "name": CLUSTER,
        "roleArn": ROLE,
        "version": "1.34",
        "resourcesVpcConfig": {
            "subnetIds": subnets,
            "endpointPublicAccess": True,
            "endpointPrivateAccess": True,
            "publicAccessCidrs": ["198.51.100.0/24"],
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
        "logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]},
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
        "upgradePolicy": {"supportType": "STANDARD"},
        "bootstrapSelfManagedAddons": False,
        "tags": {"a": "1"},
    }
    made = ask("eks", "create_cluster", **asked)["cluster"]
    ask("eks", "describe_cluster", name=CLUSTER)
    ask.refused("eks", "create_cluster", **asked)
    changes: list[dict[str, Any]] = [
        {"resourcesVpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}},
        {"logging": {"clusterLogging": [{"types": ["scheduler"], "enabled": True}]}},
        {"accessConfig": {"authenticationMode": "API"}},
        {"upgradePolicy": {"supportType": "EXTENDED"}},
        {"kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": False}}},
    ]
    for change in changes:
        update = ask("eks", "update_cluster_config", name=CLUSTER, **change)["update"]
        ask("eks", "describe_update", name=CLUSTER, updateId=update["id"])
    key = {"resources": ["secrets"], "provider": {"keyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/contract"}}
    ask("eks", "associate_encryption_config", clusterName=CLUSTER, encryptionConfig=[key])
    ask("eks", "update_cluster_version", name=CLUSTER, version="1.35")
    ask("eks", "describe_cluster", name=CLUSTER)
    ask("eks", "tag_resource", resourceArn=made["arn"], tags={"b": "2"})
    ask("eks", "list_tags_for_resource", resourceArn=made["arn"])
    ask("eks", "untag_resource", resourceArn=made["arn"], tagKeys=["a", "b"])


def nodes(ask: Recorder, subnets: list[str], template: str) -> None:
    group = {"clusterName": CLUSTER, "nodegroupName": "nodes"}
    ask(
        "eks",
        "create_nodegroup",
        **group,
        scalingConfig={"minSize": 1, "maxSize": 2, "desiredSize": 1},
        subnets=subnets,
        instanceTypes=["t3.small"],
        amiType="AL2023_x86_64_STANDARD",
        capacityType="ON_DEMAND",
        nodeRole=f"arn:aws:iam::{ACCOUNT}:role/nodes",
        labels={"a": "1"},
        taints=[{"key": "a", "value": "1", "effect": "NO_SCHEDULE"}],
        launchTemplate={"id": template, "version": "1"},
        updateConfig={"maxUnavailable": 1},
        nodeRepairConfig={"enabled": True},
        tags={"a": "1"},
    )
    ask("eks", "describe_nodegroup", **group)
    changed = {"scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 2}, "updateConfig": {"maxUnavailable": 1}}
    labels = {"labels": {"addOrUpdateLabels": {"b": "2"}, "removeLabels": ["a"]}}
    update = ask("eks", "update_nodegroup_config", **group, **changed, **labels)["update"]
    ask("eks", "describe_update", name=CLUSTER, updateId=update["id"])
    update = ask("eks", "update_nodegroup_version", **group, launchTemplate={"id": template, "version": "2"})["update"]
    ask("eks", "describe_update", name=CLUSTER, updateId=update["id"], nodegroupName="nodes")
    ask("eks", "update_nodegroup_version", **group, version="1.35", force=True)
    ask("eks", "describe_nodegroup", **group)


def access(ask: Recorder) -> None:
    entry = {"clusterName": CLUSTER, "principalArn": f"arn:aws:iam::{ACCOUNT}:role/team/deploy"}
    asked = {**entry, "kubernetesGroups": ["deployers"], "type": "STANDARD", "username": "deploy", "tags": {"a": "1"}}
    ask("eks", "create_access_entry", **asked)
    ask.refused("eks", "create_access_entry", **asked)
    ask("eks", "describe_access_entry", **entry)
    ask("eks", "update_access_entry", **entry, kubernetesGroups=["others"], username="other")
    scopes: list[dict[str, Any]] = [{"type": "cluster"}, {"type": "namespace", "namespaces": ["shop", "shop-*"]}]
    for scope in scopes:
        ask("eks", "associate_access_policy", **entry, policyArn=VIEW, accessScope=scope)
    bad = (
        {"policyArn": VIEW + "s", "accessScope": scopes[0]},
        {"policyArn": VIEW, "accessScope": {"type": "namespace"}},
    )
    for refused in bad:
        ask.refused("eks", "associate_access_policy", **entry, **refused)
    ask("eks", "list_associated_access_policies", **entry)
    ask("eks", "list_access_entries", clusterName=CLUSTER, maxResults=100)
    ask("eks", "list_access_entries", clusterName=CLUSTER, associatedPolicyArn=VIEW)
    ask("eks", "list_access_policies")
    account = {"clusterName": CLUSTER, "namespace": "shop", "serviceAccount": "app"}
    made = ask("eks", "create_pod_identity_association", **account, roleArn=ROLE, tags={"a": "1"})["association"]
    ask.refused("eks", "create_pod_identity_association", **account, roleArn=ROLE)
    association = {"clusterName": CLUSTER, "associationId": made["associationId"]}
    ask("eks", "describe_pod_identity_association", **association)
    ask("eks", "update_pod_identity_association", **association, roleArn=ROLE + "2", disableSessionTags=True)
    ask("eks", "list_pod_identity_associations", clusterName=CLUSTER)


def addons(ask: Recorder) -> None:
    addon = {"clusterName": CLUSTER, "addonName": "vpc-cni"}
    known = ask("eks", "describe_addon_versions", addonName="vpc-cni", kubernetesVersion="1.35")["addons"]
    asked = {
        **addon,
        "addonVersion": known[0]["addonVersions"][0]["addonVersion"],
        "serviceAccountRoleArn": ROLE,
        "resolveConflicts": "OVERWRITE",
        "configurationValues": "{}",
        "tags": {"a": "1"},
    }
    ask("eks", "create_addon", **asked)
    ask.refused("eks", "create_addon", **asked)
    ask.refused("eks", "create_addon", **{**addon, "addonName": "no-such"})
    ask("eks", "describe_addon", **addon)
    update = ask("eks", "update_addon", **addon, configurationValues='{"a": 1}', resolveConflicts="PRESERVE")["update"]
    ask("eks", "describe_update", name=CLUSTER, updateId=update["id"], addonName="vpc-cni")
    ask("eks", "list_addons", clusterName=CLUSTER)
