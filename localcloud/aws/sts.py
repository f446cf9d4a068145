"""STS: which key signed a call, and whose it is; sessions, whose keys are worth nothing without their token."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.models import STSBackend, sts_backends
from moto.sts.responses import TokenResponse
from moto.sts.utils import random_session_token

from localcloud.aws.iam import active_key
from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import Refused, wrap
from localcloud.aws.signature import EMPTY, BadSignature, Signed

# What EC2's "Error codes" and S3's "Error responses" say; the others use those of "Common errors" in each reference.
AUTH_FAILURE = (401, "AuthFailure", "AWS was not able to validate the provided access credentials")
REFUSALS = {
    "ec2": {"key": AUTH_FAILURE, "token": AUTH_FAILURE, "expired": (400, "RequestExpired", "Request has expired.")},
    "s3": {
        "key": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        "token": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        "expired": (400, "ExpiredToken", "The provided token has expired."),
    },
}


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


@dataclass
class UserSession:
    """What GetSessionToken gave: a key that is good until `expiration` (UTC, without a zone), with the token alone."""

    user_id: str
    arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime.datetime


def _session(access_key: str) -> Any | None:
    """Return the session of a role or of a user that ACCESS_KEY belongs to, or None."""
    backend = sts_backends[ACCOUNT][PARTITION]
    return _sessions(backend).get(access_key) or backend.get_assumed_role_from_access_key(access_key)


def _sessions(backend: STSBackend) -> dict[str, UserSession]:
    """Return the sessions of users by access key. They are part of the backend, so a snapshot has them."""
    sessions: dict[str, UserSession] = vars(backend).setdefault("sessions", {})
    return sessions


def _secret_of(access_key: str, token: str | None, service: str, headers: Mapping[str, str]) -> str:
    """Return the secret of an active key. Raise Refused for an unknown one, and for a session over or without TOKEN."""
    key, session = active_key(access_key), _session(access_key)
    if key is not None and token is None:
        return str(key.secret_access_key)
    if session is None or session.session_token != token:
        raise _refusal("token" if session and token else "key", service, headers)
    if session.expiration.replace(tzinfo=datetime.UTC) < now():
        raise _refusal("expired", service, headers)
    return str(session.secret_access_key)


def _refusal(what: str, service: str, headers: Mapping[str, str]) -> Refused:
    """Return the refusal of a `key`, of a session's `token`, or of one that has `expired`, in the words of SERVICE."""
    if service in REFUSALS:
        return Refused(*REFUSALS[service][what])
    json = "x-amz-target" in headers
    suffix = "Exception" if json or service == "eks" else ""
    invalid = "UnrecognizedClientException" if suffix else "InvalidClientTokenId"
    code, state = (f"ExpiredToken{suffix}", "expired") if what == "expired" else (invalid, "invalid")
    return Refused(400 if json else 403, code, f"The security token included in the request is {state}.")


def identity_of(access_key: str) -> Identity:
    """Return the owner of the key, as GetCallerIdentity does."""
    if (session := _sessions(sts_backends[ACCOUNT][PARTITION]).get(access_key)) is not None:
        return Identity(session.arn, session.user_id, access_key)
    user_id, arn, _ = sts_backends[ACCOUNT][PARTITION].get_caller_identity(access_key, "us-east-1")
    return Identity(arn, user_id, access_key)


def check_header(signed: Signed, access_key: str, given: str) -> None:
    """Raise Refused unless the signature of the Authorization header is valid."""
    _check(signed, access_key, signed.headers.get("x-amz-security-token"), given)


def check_presigned(method: str, path: str, query: str, headers: Mapping[str, str]) -> Identity:
    """Return who signed the presigned call, or raise Refused.

    STS accepts a presigned GetCallerIdentity for 15 minutes whatever X-Amz-Expires says; EKS tokens rely on that.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    access_key, _, scope = given.get("X-Amz-Credential", "").partition("/")
    unsigned = [pair for pair in pairs if pair[0] != "X-Amz-Signature"]
    names, time = given.get("X-Amz-SignedHeaders", ""), given.get("X-Amz-Date", "")
    payload = "UNSIGNED-PAYLOAD" if "/s3/" in scope else EMPTY
    signed = Signed(method, path, unsigned, headers, names, scope, time, payload)
    _check(signed, access_key, given.get("X-Amz-Security-Token"), given.get("X-Amz-Signature", ""))
    return identity_of(access_key)


def _check(signed: Signed, access_key: str, token: str | None, given: str) -> None:
    service = [*signed.scope.split("/"), "", "", ""][2]
    secret = _secret_of(access_key, token, service, signed.headers)
    try:
        signed.check(secret, given, now())
    except BadSignature as problem:
        raise Refused(403, "SignatureDoesNotMatch", f"The request was refused: {problem}.") from None


@wrap(STSBackend, "assume_role")
def assume_role(original: Any, self: Any, **asked: Any) -> Any:
    """Refuse a role that does not exist; moto lets anybody assume any."""
    arn = asked["role_arn"]
    if arn not in {role.arn for role in iam_backends[ACCOUNT][PARTITION].roles.values()}:
        raise Refused(403, "AccessDenied", f"Not authorized to perform: sts:AssumeRole on resource: {arn}")
    return original(self, **asked)


@wrap(STSBackend, "get_caller_identity")
def get_caller_identity(original: Any, self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
    """Return the user whose session the key is of."""
    if (session := _sessions(self).get(access_key_id)) is not None:
        return session.user_id, session.arn, ACCOUNT
    user_id, arn, account = original(self, access_key_id, region)
    return user_id, arn, account


@wrap(TokenResponse, "get_session_token")
def get_session_token(_original: Any, self: Any) -> Any:
    """Return a key that works, once; moto returns the same one to everybody and does not know it again."""
    if _session(self.get_access_key()) is not None:
        raise Refused(403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
    user = identity_of(self.get_access_key())
    lasts = datetime.timedelta(seconds=int(self._get_param("DurationSeconds") or 43200))
    key = iam_backends[ACCOUNT][PARTITION].create_temp_access_key()
    session = UserSession(
        user_id=user.user_id,
        arn=user.arn,
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
        session_token=random_session_token(),
        expiration=(now() + lasts).replace(tzinfo=None, microsecond=0),
    )
    _sessions(self.backend)[session.access_key_id] = session
    return ActionResult({"Credentials": session})
