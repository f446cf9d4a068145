"""EKS access entries, access policies and pod identity associations: who may do what."""

from __future__ import annotations

import time
import uuid
from typing import Any

from longshore.local.aws.access_policies import POLICIES, PREFIX
from longshore.local.aws.eks import Extra, Fields, arn, cluster_of, extra, find
from longshore.local.aws.mending import Refused
from longshore.local.aws.options import ACCOUNT, PARTITION
from longshore.local.aws.routes import Request, route

NODE_TYPES = ("EC2_LINUX", "EC2_WINDOWS", "EC2", "FARGATE_LINUX")


def put_entry(cluster: Any, region: str, asked: Fields) -> Fields:
    """Add an access entry; its default user name is the one that EKS derives from the principal."""
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
    if any(
        group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:"))
        for group in asked.get("kubernetesGroups") or []
    ):
        raise Refused(400, "InvalidParameterException", "The kubernetes group name is reserved")
    now = time.time()
    entries[principal] = {
        "clusterName": cluster.name,
        "principalArn": principal,
        "kubernetesGroups": groups,
        "type": asked.get("type") or "STANDARD",
        "username": user,
        "tags": asked.get("tags") or {},
        "createdAt": now,
        "modifiedAt": now,
        "accessEntryArn": arn(region, "access-entry", cluster.name, kind, ACCOUNT, name, str(uuid.uuid4())),
    }
    return entries[principal]


def associate(kept: Extra, principal: str, policy: str, scope: Fields) -> Fields:
    """Give PRINCIPAL the access POLICY within SCOPE, and return the association. Refuses what EKS refuses."""
    namespaces = scope.get("namespaces") or []
    if policy.removeprefix(PREFIX) not in POLICIES:
        raise Refused(
            400, "InvalidParameterException", f"The policyArn parameter format is not valid: {policy}"
        )
    if scope.get("type") not in ("cluster", "namespace") or bool(namespaces) != (
        scope["type"] == "namespace"
    ):
        raise Refused(
            400,
            "InvalidParameterException",
            "The access scope needs namespaces if, and only if, its type is namespace",
        )
    if kept.entries[principal]["type"] != "STANDARD":
        raise Refused(
            400,
            "InvalidRequestException",
            "Access policies can be associated with STANDARD access entries only",
        )
    kept.policies.setdefault(principal, {})[policy] = {**scope, "at": time.time()}
    return next(found for found in associated(kept, principal) if found["policyArn"] == policy)


def associated(kept: Extra, principal: str) -> list[Fields]:
    """Return the access policies of PRINCIPAL as EKS lists them."""
    return [
        {
            "policyArn": policy,
            "accessScope": {"type": scope["type"], "namespaces": scope.get("namespaces") or []},
            "associatedAt": scope["at"],
            "modifiedAt": scope["at"],
        }
        for policy, scope in kept.policies.get(principal, {}).items()
    ]


@route("POST", "/clusters/{c}/access-entries")
def create_access_entry(r: Request, c: str) -> Fields:
    cluster = cluster_of(r.region, c)
    if cluster.access_config["authenticationMode"] == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP]."
        raise Refused(400, "InvalidRequestException", message)
    return {"accessEntry": put_entry(cluster, r.region, r.body)}


@route("GET", "/clusters/{c}/access-entries")
def list_access_entries(r: Request, c: str) -> Fields:
    kept, policy = extra(cluster_of(r.region, c)), r.parameter("associatedPolicyArn")
    found = [
        principal
        for principal in kept.entries
        if policy is None or policy in kept.policies.get(principal, {})
    ]
    return {"accessEntries": found}


def _entry(r: Request, c: str, p: str) -> tuple[Extra, Fields]:
    kept = extra(cluster_of(r.region, c))
    return kept, find(kept.entries, p, "The specified principalArn could not be found")


@route("GET", "/clusters/{c}/access-entries/{p}")
def describe_access_entry(r: Request, c: str, p: str) -> Fields:
    return {"accessEntry": _entry(r, c, p)[1]}


@route("POST", "/clusters/{c}/access-entries/{p}")
def update_access_entry(r: Request, c: str, p: str) -> Fields:
    _, entry = _entry(r, c, p)
    entry.update(
        {key: r.body[key] for key in ("kubernetesGroups", "username") if r.body.get(key) is not None}
    )
    entry["modifiedAt"] = time.time()
    return {"accessEntry": entry}


@route("DELETE", "/clusters/{c}/access-entries/{p}")
def delete_access_entry(r: Request, c: str, p: str) -> Fields:
    kept, _ = _entry(r, c, p)
    del kept.entries[p]
    kept.policies.pop(p, None)
    return {}


@route("GET", "/access-policies")
def list_access_policies(r: Request) -> Fields:
    return {"accessPolicies": [{"name": name, "arn": PREFIX + name} for name in POLICIES]}


@route("POST", "/clusters/{c}/access-entries/{p}/access-policies")
def associate_access_policy(r: Request, c: str, p: str) -> Fields:
    kept, _ = _entry(r, c, p)
    found = associate(kept, p, r.body["policyArn"], r.body["accessScope"])
    return {"clusterName": c, "principalArn": p, "associatedAccessPolicy": found}


@route("GET", "/clusters/{c}/access-entries/{p}/access-policies")
def list_associated_access_policies(r: Request, c: str, p: str) -> Fields:
    kept, _ = _entry(r, c, p)
    return {"clusterName": c, "principalArn": p, "associatedAccessPolicies": associated(kept, p)}


@route("DELETE", "/clusters/{c}/access-entries/{p}/access-policies/{a}")
def disassociate_access_policy(r: Request, c: str, p: str, a: str) -> Fields:
    kept, _ = _entry(r, c, p)
    find(kept.policies.get(p, {}), a, "The specified access policy is not associated")
    del kept.policies[p][a]
    return {}


@route("POST", "/clusters/{c}/pod-identity-associations")
def create_pod_identity_association(r: Request, c: str) -> Fields:
    known = extra(cluster_of(r.region, c)).associations
    account = (r.body["namespace"], r.body["serviceAccount"])
    if any((found["namespace"], found["serviceAccount"]) == account for found in known.values()):
        raise Refused(409, "ResourceInUseException", "Association already exists.")
    identifier = "a-" + uuid.uuid4().hex[:17]
    now = time.time()
    known[identifier] = {
        "clusterName": c,
        "namespace": account[0],
        "serviceAccount": account[1],
        "roleArn": r.body["roleArn"],
        "associationArn": arn(r.region, "podidentityassociation", c, identifier),
        "associationId": identifier,
        "tags": r.body.get("tags") or {},
        "createdAt": now,
        "modifiedAt": now,
        "disableSessionTags": r.body.get("disableSessionTags", False),
    }
    return {"association": known[identifier]}


@route("GET", "/clusters/{c}/pod-identity-associations")
def list_pod_identity_associations(r: Request, c: str) -> Fields:
    shown = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
    known = extra(cluster_of(r.region, c)).associations.values()
    return {"associations": [{key: found[key] for key in shown} for found in known]}


@route("GET", "/clusters/{c}/pod-identity-associations/{i}")
def describe_pod_identity_association(r: Request, c: str, i: str) -> Fields:
    return {"association": find(extra(cluster_of(r.region, c)).associations, i, "Association not found")}


@route("POST", "/clusters/{c}/pod-identity-associations/{i}")
def update_pod_identity_association(r: Request, c: str, i: str) -> Fields:
    found: Fields = find(extra(cluster_of(r.region, c)).associations, i, "Association not found")
    found["roleArn"] = r.body.get("roleArn") or found["roleArn"]
    found["modifiedAt"] = time.time()
    return {"association": found}


@route("DELETE", "/clusters/{c}/pod-identity-associations/{i}")
def delete_pod_identity_association(r: Request, c: str, i: str) -> Fields:
    known = extra(cluster_of(r.region, c)).associations
    find(known, i, "Association not found")
    return {"association": known.pop(i)}
