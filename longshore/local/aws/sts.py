"""STS: whose key signed a call, and what identity that is."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from moto.iam.models import iam_backends
from moto.sts.models import STSBackend, sts_backends

from longshore.local.aws.iam import active_key
from longshore.local.aws.mending import Refused, wrap
from longshore.local.aws.options import ACCOUNT, PARTITION
from longshore.local.aws.signature import BadSignature, Signed

UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")  # these bring their own proof


@dataclass(frozen=True)
class Identity:
    """Who signed: an IAM user or the session of a role."""

    arn: str
    user_id: str
    access_key: str

    @property
    def role(self) -> str:
        """Name of the role whose session this is; empty for a user."""
        parts = self.arn.split(":")[-1].split("/")
        return parts[1] if parts[0] == "assumed-role" else ""


def now() -> datetime.datetime:
    """Return the time in UTC."""
    return datetime.datetime.now(datetime.UTC)


def secret_of(access_key: str, session_token: str | None) -> str | None:
    """Return the secret of a live key; a role's session needs its session token beside it."""
    key = active_key(access_key)
    if key is not None:
        return str(key.secret_access_key)
    role = sts_backends[ACCOUNT][PARTITION].get_assumed_role_from_access_key(access_key)
    if role is None or role.session_token != session_token:
        return None
    if role.expiration.replace(tzinfo=datetime.UTC) < now():
        return None
    return str(role.secret_access_key)


def identity_of(access_key: str) -> Identity:
    """Return whose key it is, as GetCallerIdentity says it."""
    user_id, arn, _ = sts_backends[ACCOUNT][PARTITION].get_caller_identity(access_key, "us-east-1")
    return Identity(arn, user_id, access_key)


def check_header(signed: Signed, access_key: str, given: str) -> None:
    """Raise Refused unless the Authorization header's signature holds."""
    secret = secret_of(access_key, signed.headers.get("x-amz-security-token"))
    _check(signed, secret, given)


def check_presigned(method: str, path: str, query: str, headers: Mapping[str, str]) -> Identity:
    """Return who signed the presigned call; raise Refused where AWS would.

    STS lets a presigned GetCallerIdentity live for 15 minutes whatever X-Amz-Expires says, and EKS tokens count on that.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    access_key, _, scope = given.get("X-Amz-Credential", "").partition("/")
    signed = Signed(
        method=method,
        path=path,
        query=[pair for pair in pairs if pair[0] != "X-Amz-Signature"],
        headers=headers,
        signed_headers=given.get("X-Amz-SignedHeaders", ""),
        scope=scope,
        time=given.get("X-Amz-Date", ""),
        payload="UNSIGNED-PAYLOAD" if "/s3/" in scope else Signed.payload,
    )
    _check(signed, secret_of(access_key, given.get("X-Amz-Security-Token")), given.get("X-Amz-Signature", ""))
    return identity_of(access_key)


def _check(signed: Signed, secret: str | None, given: str) -> None:
    if secret is None:
        raise Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    try:
        signed.check(secret, given, now())
    except BadSignature as problem:
        raise Refused(403, "SignatureDoesNotMatch", f"The request was refused: {problem}.") from None


@wrap(STSBackend, "assume_role")
def assume_role(original: Any, self: Any, **asked: Any) -> Any:
    """Refuse a role that does not exist; moto lets anybody be anything."""
    known = iam_backends[ACCOUNT][PARTITION].roles.values()
    if asked["role_arn"] not in {role.arn for role in known}:
        raise Refused(
            403, "AccessDenied", f"Not authorized to perform: sts:AssumeRole on resource: {asked['role_arn']}"
        )
    return original(self, **asked)
