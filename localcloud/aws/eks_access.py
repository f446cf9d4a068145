"""EKS access entries, access policies and pod identity associations."""

from __future__ import annotations

import time
import uuid
from typing import Any

from localcloud.aws import eks_limits
from localcloud.aws.access_policies import POLICIES, PREFIX
from localcloud.aws.eks import Extra, Fields, arn, cluster_of, extra, find, stamped
from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import Refused
from localcloud.aws.routes import Request, route

RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")  # prefixes of groups
NO_ROLE = "Role provided in the request does not exist: {arn}"
NODE_TYPES = ("EC2_LINUX", "EC2_WINDOWS", "EC2", "FARGATE_LINUX")


def put_entry(cluster: Any, region: str, asked: Fields) -> Fields:
    """Add an access entry; EKS derives the default user name from the principal."""
    principal = asked["principalArn"]
    entries = extra(cluster).entries
    if principal in entries:
        message = "The specified access entry resource is already in use on this cluster."
        raise Refused(409, "ResourceInUseException", message)
    kind, name = principal.split(":")[-1].split("/")[0], principal.split("/")[-1]
    session = f"arn:{PARTITION}:sts::{ACCOUNT}:assumed-role/{name}/{{{{SessionName}}}}"
    user = asked.get("username") or (session if kind == "role" else principal)
    groups = asked.get("kubernetesGroups") or []
    if asked.get("type") in NODE_TYPES:
        user, groups = "system:node:{{EC2PrivateDNSName}}", ["system:nodes"]
    if any(group.startswith(RESERVED) for group in asked.get("kubernetesGroups") or []):
        raise Refused(400, "InvalidParameterException", "The kubernetes group name is reserved")
    entry = {"clusterName": cluster.name, "principalArn": principal, "kubernetesGroups": groups, "username": user}
    entry |= {"type": asked.get("type") or "STANDARD", **stamped(asked)}
    entry["accessEntryArn"] = arn(region, "access-entry", cluster.name, kind, ACCOUNT, name, str(uuid.uuid4()))
    entries[principal] = entry
    return entry


def associate(state: Extra, principal: str, policy: str, scope: Fields) -> Fields:
    """Associate the access POLICY with PRINCIPAL within SCOPE, and return the association. Refuses what EKS refuses."""
    namespaces = scope.get("namespaces") or []
    if policy.removeprefix(PREFIX) not in POLICIES:
        raise Refused(400, "InvalidParameterException", f"The policyArn parameter format is not valid: {policy}")
    if scope.get("type") not in ("cluster", "namespace") or bool(namespaces) != (scope["type"] == "namespace"):
        message = "The access scope needs namespaces if, and only if, its type is namespace"
        raise Refused(400, "InvalidParameterException", message)
    if state.entries[principal]["type"] != "STANDARD":
        message = "Access policies can be associated with STANDARD access entries only"
        raise Refused(400, "InvalidRequestException", message)
    state.policies.setdefault(principal, {})[policy] = {**scope, "at": time.time()}
    return next(item for item in associated(state, principal) if item["policyArn"] == policy)


def associated(state: Extra, principal: str) -> list[Fields]:
    """Return the access policies of PRINCIPAL as EKS lists them."""
    return [
        {
            "policyArn": policy,
            "accessScope": {"type": scope["type"], "namespaces": scope.get("namespaces") or []},
            "associatedAt": scope["at"],
            "modifiedAt": scope["at"],
        }
        for policy, scope in state.policies.get(principal, {}).items()
    ]


@route("POST", "/clusters/{c}/access-entries")
def create_access_entry(r: Request, c: str) -> Fields:
    cluster = cluster_of(r.region, c)
    if cluster.access_config["authenticationMode"] == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP]."
        raise Refused(400, "InvalidRequestException", message)
    eks_limits.principal(r.body["principalArn"])
    return {"accessEntry": put_entry(cluster, r.region, r.body)}


@route("GET", "/clusters/{c}/access-entries")
def list_access_entries(r: Request, c: str) -> Fields:
    state, policy = extra(cluster_of(r.region, c)), r.parameter("associatedPolicyArn")
    return {"accessEntries": [name for name in state.entries if policy in (None, *state.policies.get(name, {}))]}


def _entry(r: Request, c: str, p: str) -> tuple[Extra, Fields]:
    state = extra(cluster_of(r.region, c))
    return state, find(state.entries, p, "The specified principalArn could not be found")


@route("GET", "/clusters/{c}/access-entries/{p}")
def describe_access_entry(r: Request, c: str, p: str) -> Fields:
    return {"accessEntry": _entry(r, c, p)[1]}


@route("POST", "/clusters/{c}/access-entries/{p}")
def update_access_entry(r: Request, c: str, p: str) -> Fields:
    _, entry = _entry(r, c, p)
    entry.update({key: r.body[key] for key in ("kubernetesGroups", "username") if r.body.get(key) is not None})
    entry["modifiedAt"] = time.time()
    return {"accessEntry": entry}


@route("DELETE", "/clusters/{c}/access-entries/{p}")
def delete_access_entry(r: Request, c: str, p: str) -> Fields:
    state, _ = _entry(r, c, p)
    del state.entries[p]
    state.policies.pop(p, None)
    return {}


@route("GET", "/access-policies")
def list_access_policies(r: Request) -> Fields:
    return {"accessPolicies": [{"name": name, "arn": PREFIX + name} for name in POLICIES]}


@route("POST", "/clusters/{c}/access-entries/{p}/access-policies")
def associate_access_policy(r: Request, c: str, p: str) -> Fields:
    state, _ = _entry(r, c, p)
    association = associate(state, p, r.body["policyArn"], r.body["accessScope"])
    return {"clusterName": c, "principalArn": p, "associatedAccessPolicy": association}


@route("GET", "/clusters/{c}/access-entries/{p}/access-policies")
def list_associated_access_policies(r: Request, c: str, p: str) -> Fields:
    state, _ = _entry(r, c, p)
    return {"clusterName": c, "principalArn": p, "associatedAccessPolicies": associated(state, p)}


@route("DELETE", "/clusters/{c}/access-entries/{p}/access-policies/{a}")
def disassociate_access_policy(r: Request, c: str, p: str, a: str) -> Fields:
    state, _ = _entry(r, c, p)
    find(state.policies.get(p, {}), a, "The specified access policy is not associated")
    del state.policies[p][a]
    return {}


@route("POST", "/clusters/{c}/pod-identity-associations")
def create_pod_identity_association(r: Request, c: str) -> Fields:
    associations = extra(cluster_of(r.region, c)).associations
    account = {key: r.body[key] for key in ("namespace", "serviceAccount")}
    if any(account.items() <= item.items() for item in associations.values()):
        raise Refused(409, "ResourceInUseException", "Association already exists.")
    eks_limits.role(r.body["roleArn"], NO_ROLE)
    identifier = "a-" + uuid.uuid4().hex[:17]
    association = {"clusterName": c, **account, "roleArn": r.body["roleArn"], **stamped(r.body)}
    association["disableSessionTags"] = r.body.get("disableSessionTags", False)
    association["associationArn"] = arn(r.region, "podidentityassociation", c, identifier)
    associations[identifier] = {**association, "associationId": identifier}
    return {"association": associations[identifier]}


@route("GET", "/clusters/{c}/pod-identity-associations")
def list_pod_identity_associations(r: Request, c: str) -> Fields:
    shown = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
    associations = extra(cluster_of(r.region, c)).associations.values()
    return {"associations": [{key: item[key] for key in shown} for item in associations]}


@route("GET", "/clusters/{c}/pod-identity-associations/{i}")
def describe_pod_identity_association(r: Request, c: str, i: str) -> Fields:
    return {"association": find(extra(cluster_of(r.region, c)).associations, i, "Association not found")}


@route("POST", "/clusters/{c}/pod-identity-associations/{i}")
def update_pod_identity_association(r: Request, c: str, i: str) -> Fields:
    association: Fields = find(extra(cluster_of(r.region, c)).associations, i, "Association not found")
    eks_limits.role(r.body.get("roleArn") or association["roleArn"], NO_ROLE)
    association["roleArn"] = r.body.get("roleArn") or association["roleArn"]
    association["modifiedAt"] = time.time()
    return {"association": association}


@route("DELETE", "/clusters/{c}/pod-identity-associations/{i}")
def delete_pod_identity_association(r: Request, c: str, i: str) -> Fields:
    associations = extra(cluster_of(r.region, c)).associations
    find(associations, i, "Association not found")
    return {"association": associations.pop(i)}
