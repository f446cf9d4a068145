"""IAM: what the signer of a call may do, decided before moto answers it.

Evaluated: identity policies (inline and attached, of a user also those of the groups), the permissions boundary, trust
policies of roles. Not evaluated: session policies, service control policies, and resource policies other than those of
roles, and of buckets (moto and s3.py do those). The operator is the account's administrator, as root would be: he is
asked nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from localcloud.aws import actions
from localcloud.aws.call import Call
from localcloud.aws.iam import OPERATOR
from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import Refused, add
from localcloud.aws.policies import ANY, Request, Verdict, trusts, verdict
from localcloud.aws.sts import Identity

LOG = logging.getLogger("localcloud.aws")  # requests.log: what a policy has to allow
ALWAYS = ("sts:GetCallerIdentity",)  # nobody can be denied that
CODES = {"ec2": "UnauthorizedOperation"} | dict.fromkeys(("json", "rest-json"), "AccessDeniedException")
# The gravest first.
SIMULATED = {Verdict.DENIED: "explicitDeny", Verdict.NOT_ALLOWED: "implicitDeny", Verdict.ALLOWED: "allowed"}
ROOT = f"arn:{PARTITION}:iam::{ACCOUNT}:root"


def check(call: Call, who: Identity) -> None:
    """Raise Refused, as AWS words it, unless WHO may make CALL."""
    if _operates(who):
        return
    context = _context(call, who)
    for asked in actions.of(call):
        LOG.info("iam %s %s %s", who.arn, asked.action, asked.resource)
        if asked.action in ALWAYS:
            continue
        request = replace(asked, context=context)
        if asked.action == "sts:AssumeRole":
            _assumes(who, request)
        elif why := _refusal(who, request):
            raise _denied(who, asked, why, actions.protocol(call))


def check_token(claims: Mapping[str, Any], arn: str) -> None:
    """Raise Refused unless the role with the ARN trusts the CLAIMS of a token, which is genuine."""
    role = _role(arn)
    host = str(claims.get("iss", "")).removeprefix("https://")
    provider = f"arn:{PARTITION}:iam::{ACCOUNT}:oidc-provider/{host}"
    known = {f"{host}:{name}".lower(): str(claims[name]) for name in ("aud", "sub") if name in claims}
    request = Request("sts:AssumeRoleWithWebIdentity", arn, known)
    exists = provider in iam_backends[ACCOUNT][PARTITION].open_id_providers
    document = _text(role.assume_role_policy_document) if role and exists else '{"Statement": []}'
    if not trusts(document, [("Federated", provider)], request):
        raise Refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


def check_missing(call: Call, who: Identity) -> None:
    """Raise Refused where CALL asked for an object that is not there, and WHO may not know which objects there are."""
    bucket, _, key = actions.of(call)[0].resource.partition("/")
    if key and not _operates(who) and (why := _refusal(who, Request("s3:ListBucket", bucket, _context(call, who)))):
        raise _denied(who, Request("s3:ListBucket", bucket), why)


def _operates(who: Identity) -> bool:
    return who.arn == f"arn:{PARTITION}:iam::{ACCOUNT}:user/{OPERATOR}"


def _assumes(who: Identity, request: Request) -> None:
    """Raise Refused unless the role trusts WHO by name, or trusts the account and WHO's own policies allow it."""
    role, owner = _role(request.resource), _owner(who)
    document = _text(role.assume_role_policy_document) if role else '{"Statement": []}'
    why = _refusal(who, request)
    by_name = trusts(document, [("AWS", who.arn), ("AWS", str(owner.arn) if owner else "")], request)
    by_account = trusts(document, [("AWS", ROOT), ("AWS", ACCOUNT)], request)
    if (by_name and "explicit deny" not in why) or (by_account and not why):
        return
    raise _denied(who, request, why or "because no trust policy allows the sts:AssumeRole action")


def _refusal(who: Identity, request: Request) -> str:
    """Return why WHO may not make REQUEST, in AWS's words; empty if he may."""
    for kind, said in _verdicts(_owner(who), request):
        match said:
            case Verdict.DENIED:
                return f"with an explicit deny in {'an' if kind[0] == 'i' else 'a'} {kind}"
            case Verdict.NOT_ALLOWED:
                return f"because no {kind} allows the {request.action} action"
    return ""


def _verdicts(owner: Any | None, request: Request) -> Iterator[tuple[str, Verdict]]:
    """Yield what each kind of policy of moto's role or user says of REQUEST; all have to allow it."""
    yield "identity-based policy", verdict(_documents(owner), request)
    if boundary := getattr(owner, "permissions_boundary_arn", None):
        yield "permissions boundary", verdict(_of_policies([boundary]), request)


@add(IamResponse, "simulate_principal_policy")
def simulate_principal_policy(self: Any) -> Any:
    """Say what a role or user may do to all resources, by what is enforced here."""
    arn, backend = str(self.params["PolicySourceArn"]), iam_backends[ACCOUNT][PARTITION]
    everybody: list[Any] = [*backend.roles.values(), *backend.users.values()]
    owner = next((each for each in everybody if each.arn == arn), None)
    if owner is None:
        raise Refused(404, "NoSuchEntity", f"{arn} does not exist.")
    results = []
    for action in self.params["ActionNames"]:
        request = Request(action, ANY, {"aws:principalarn": arn, "aws:principalaccount": ACCOUNT})
        said = {Verdict.ALLOWED} if owner.name == OPERATOR else {each for _, each in _verdicts(owner, request)}
        decision = next(SIMULATED[each] for each in SIMULATED if each in said)
        results.append({"EvalActionName": action, "EvalResourceName": ANY, "EvalDecision": decision})
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _denied(who: Identity, request: Request, why: str, protocol: str = "") -> Refused:
    LOG.info("iam refused %s %s %s", who.arn, request.action, request.resource)
    code = CODES.get(protocol, "AccessDenied")
    where = f" on resource: {request.resource}" if request.resource != ANY else ""
    return Refused(403, code, f"User: {who.arn} is not authorized to perform: {request.action}{where} {why}")


def _owner(who: Identity) -> Any | None:
    """Return moto's role or user behind WHO."""
    backend = iam_backends[ACCOUNT][PARTITION]
    if who.role:
        return next((role for role in backend.roles.values() if role.name == who.role), None)
    return backend.users.get(who.arn.rsplit("/", 1)[-1])


def _role(arn: str) -> Any | None:
    return next((role for role in iam_backends[ACCOUNT][PARTITION].roles.values() if role.arn == arn), None)


def _documents(owner: Any | None) -> list[str]:
    """Return the policies of a role, or of a user and the groups that he is in, as JSON."""
    if owner is None:
        return []
    backend = iam_backends[ACCOUNT][PARTITION]
    holders = [owner] if owner in backend.roles.values() else [owner, *backend.get_groups_for_user(owner.name)]
    documents = [_text(text) for holder in holders for text in holder.policies.values()]
    return documents + _of_policies(arn for holder in holders for arn in holder.managed_policies)


def _of_policies(arns: Iterable[str]) -> list[str]:
    """Return the default versions of managed policies; one that does not exist allows nothing."""
    known = iam_backends[ACCOUNT][PARTITION].managed_policies
    versions = [version for arn in arns if arn in known for version in known[arn].versions if version.is_default]
    return [_text(version.document) for version in versions]


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _context(call: Call, who: Identity) -> dict[str, str]:
    """Return the condition keys that are known of CALL, in lower case. Loopback stands for TLS."""
    account = who.arn.split(":")[4]
    known = {
        "aws:principalarn": str(getattr(_owner(who), "arn", who.arn)),
        "aws:principalaccount": account,
        "aws:requestedregion": call.region,
        "aws:resourceaccount": ACCOUNT,
        "aws:securetransport": "true",
        "aws:username": "" if who.role else who.arn.rsplit("/", 1)[-1],
    }
    if call.service == "iam":
        given = dict(parse_qsl(call.body.decode("utf-8", "replace") or call.query))
        target = actions.owner(given)
        boundary = given.get("PermissionsBoundary") or getattr(target, "permissions_boundary_arn", None)
        known["iam:permissionsboundary"] = boundary or "none"  # AWS has no such key then, and `StringNotEquals` holds
    return known
