"""AWS Signature Version 4, verified: in the header of a call, or in the query of a presigned one."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

EMPTY = hashlib.sha256(b"").hexdigest()
SKEW = datetime.timedelta(minutes=15)


class BadSignature(Exception):
    """AWS would not accept the signature; the text says why."""


class _Signer(SigV4Auth):
    """Signs what the caller signed; botocore by itself leaves some headers out, and hashes the body."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.headers

    def payload(self, request: Any) -> str:
        return str(request.context["payload"])


class _S3Signer(_Signer, S3SigV4Auth):
    """S3 alone signs the path as sent; for all others it is normalized and encoded once more."""


@dataclass(frozen=True)
class Signed:
    """A signed call as sent. `path` is still encoded; `query` is decoded and without the signature itself."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]  # lower-case names
    signed_headers: str  # a;b;c
    scope: str  # DATE/REGION/SERVICE/aws4_request
    time: str
    payload: str = EMPTY

    def signature(self, secret: str) -> str:
        """Return the signature of this call by SECRET."""
        _, region, service, _ = self.scope.split("/")
        signer = (_S3Signer if service == "s3" else _Signer)(ReadOnlyCredentials("", secret, None), service, region)
        headers = {name: self.headers.get(name, "") for name in self.signed_headers.split(";")}
        request = AWSRequest(self.method, f"http://host{self.path}", headers, params=self.query)
        request.context.update(timestamp=self.time, payload=self.payload)
        return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))

    def check(self, secret: str, given: str, now: datetime.datetime) -> None:
        """Raise BadSignature unless GIVEN is the signature by SECRET, made at most 15 minutes ago."""
        try:
            when = datetime.datetime.strptime(self.time, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        except ValueError:
            raise BadSignature("its time is malformed") from None
        parts = self.scope.split("/")
        if len(parts) != 4 or parts[3] != "aws4_request" or parts[0] != self.time[:8]:
            raise BadSignature("its credential scope is malformed")
        names = self.signed_headers.split(";")
        if "host" not in names:
            raise BadSignature("its host header is not signed")
        if added := [name for name in self.headers if name.startswith("x-amz-") and name not in names]:
            raise BadSignature(f"its header {added[0]} is not signed")
        if now - when > SKEW:
            raise BadSignature("it has expired: signatures are valid for 15 minutes")
        if when - now > SKEW:
            raise BadSignature("it is dated in the future: check the clocks")
        if not hmac.compare_digest(self.signature(secret).encode(), given.encode()):
            raise BadSignature("the signature does not match the secret key")
