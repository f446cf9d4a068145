"""The token webhook of the real API server: verifies EKS tokens as aws-iam-authenticator does for EKS.

A token is a presigned GetCallerIdentity of STS. STS is this process, so the signature is verified here, without a call.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from localcloud.aws import auto_monitor
from localcloud.aws.access_policies import grants, group
from localcloud.aws.bindings import Bindings
from localcloud.aws.eks import all_clusters, extra
from localcloud.aws.eks_access import NODE_TYPES
from localcloud.aws.options import current
from localcloud.aws.patching import Refused
from localcloud.aws.sts import Identity, check_presigned

PREFIX = "k8s-aws-v1."
LONGEST_TOKEN = 8192
CLUSTER_HEADER = "x-k8s-aws-id"
SIGNED = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
REQUIRED = {"Action", "Version", *(f"X-Amz-{name}" for name in SIGNED)}
BINDINGS = Bindings()


def review(body: Any, log: Callable[[str], None]) -> dict[str, Any]:
    """Answer a TokenReview (authentication.k8s.io/v1). The reason for a refusal is logged and returned."""
    status: dict[str, Any]
    try:
        token = body["spec"]["token"]
    except (KeyError, TypeError):
        token = ""
    try:
        status = {"authenticated": True, "user": _user(token if isinstance(token, str) else "")}
        _bind(log)
        auto_monitor.follow(log)
    except Refused as problem:
        log(f"token refused: {problem.message}")
        status = {"authenticated": False, "error": problem.message}
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


def _bind(log: Callable[[str], None]) -> None:
    """Update the API server's bindings to the associations. The user is authenticated even if that fails."""
    wanted = current().real_cluster().get("name")
    associations = [extra(cluster).policies for cluster in all_clusters() if wanted in (None, cluster.name)]
    try:
        BINDINGS.ensure(
            grant for entries in associations for policies in entries.values() for grant in grants(policies)
        )
    except OSError as problem:
        log(f"cannot apply the access policies in the API server: {problem}")


def _refuse(reason: str) -> Refused:
    return Refused(401, "Unauthorized", reason)


def _query_of(token: str) -> tuple[str, str]:
    """Return host and query of the presigned call inside TOKEN, or refuse what is not a presigned GetCallerIdentity."""
    if not token.startswith(PREFIX) or len(token) > LONGEST_TOKEN:
        raise _refuse("not an EKS token")
    raw = token.removeprefix(PREFIX)
    try:
        url = urlsplit(base64.b64decode(raw + "=" * (-len(raw) % 4), altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        raise _refuse("the token is not base64 of a URL") from None
    if url.scheme != "http" or url.netloc not in current().hosts or url.path not in ("", "/") or url.fragment:
        raise _refuse(f"the token is signed for {url.scheme}://{url.netloc}{url.path}, which is not this STS")
    pairs = parse_qsl(url.query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)) or not REQUIRED <= set(names) <= REQUIRED | {"X-Amz-Security-Token"}:
        raise _refuse("the token's URL does not have the parameters of a presigned GetCallerIdentity")
    query = dict(pairs)
    if query["Action"] != "GetCallerIdentity" or "/sts/" not in query["X-Amz-Credential"]:
        raise _refuse("the token is not a GetCallerIdentity of STS")
    if not query["X-Amz-Expires"].isdigit() or not 0 < int(query["X-Amz-Expires"]) <= 900:
        raise _refuse("the token's X-Amz-Expires is not between 1 and 900 seconds")
    if CLUSTER_HEADER not in query["X-Amz-SignedHeaders"].split(";"):
        raise _refuse(f"the token does not sign {CLUSTER_HEADER}")
    return url.netloc, url.query


def _user(token: str) -> dict[str, Any]:
    host, query = _query_of(token)
    wanted = current().real_cluster().get("name")
    reason = _refuse("no cluster exists yet")
    for cluster in all_clusters():
        if wanted not in (None, cluster.name):
            continue
        try:
            who = check_presigned("GET", "/", query, {"host": host, CLUSTER_HEADER: cluster.name})
        except Refused as problem:  # the token may be for another cluster
            reason = problem
            continue
        return _mapped(cluster, who)
    raise reason


def _entry_of(cluster: Any, who: Identity) -> dict[str, Any]:
    for principal, entry in extra(cluster).entries.items():
        kind, _, name = principal.split(":")[-1].partition("/")
        # A session's ARN holds the role's name without its path.
        if principal == who.arn or (kind == "role" and who.role and name.split("/")[-1] == who.role):
            if entry["type"] in NODE_TYPES:
                raise _refuse(f"the access entry of {principal} is for nodes")
            matching: dict[str, Any] = entry
            return matching
    raise _refuse(f"{who.arn} has no access entry in cluster {cluster.name}")


def _mapped(cluster: Any, who: Identity) -> dict[str, Any]:
    """Return the Kubernetes user: the entry's name and groups, and one group per access policy."""
    entry = _entry_of(cluster, who)
    groups = list(entry["kubernetesGroups"])
    given = extra(cluster).policies.get(entry["principalArn"], {})
    groups += [group(policy, namespace) for policy, namespace in grants(given)]
    session = who.arn.rsplit("/", 1)[-1]
    return {
        "username": entry["username"].replace("{{SessionName}}", session),
        "uid": f"aws-iam-authenticator:{who.arn.split(':')[4]}:{who.user_id.split(':')[0]}",
        "groups": groups,
        "extra": {
            "accessKeyId": [who.access_key],
            "arn": [who.arn],
            "canonicalArn": [entry["principalArn"]],
            "principalId": [who.user_id.split(":")[0]],
            "sessionName": [session if who.role else ""],
        },
    }
