"""AWS Signature Version 4, checked: as a header on every call, as query parameters on a presigned one."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

EMPTY = hashlib.sha256(b"").hexdigest()
SKEW = datetime.timedelta(minutes=15)


class BadSignature(Exception):
    """The signature is not one that AWS would accept; the text says why."""


@dataclass(frozen=True)
class Signed:
    """What was signed, as it was sent. `path` is still encoded; `query` is decoded and without the signature itself."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]  # lower-case names
    signed_headers: str  # a;b;c
    scope: str  # DATE/REGION/SERVICE/aws4_request
    time: str
    payload: str = EMPTY

    def signature(self, secret: str) -> str:
        """Return the signature that SECRET gives to this."""
        service = self.scope.split("/")[2]
        path = self.path or "/"
        if service != "s3":  # S3 alone signs the path as it is sent; everybody else encodes it once more
            path = quote(path, safe="/-_.~")
        pairs = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in self.query)
        names = self.signed_headers.split(";")
        canonical = "\n".join(
            (
                self.method,
                path,
                "&".join(f"{key}={value}" for key, value in pairs),
                "".join(f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in names),
                self.signed_headers,
                self.payload,
            )
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{digest}"
        key = ("AWS4" + secret).encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.new(key, text.encode(), "sha256").hexdigest()

    def check(self, secret: str, given: str, now: datetime.datetime) -> None:
        """Raise BadSignature unless GIVEN is what SECRET makes of this, at most 15 minutes ago."""
        try:
            when = datetime.datetime.strptime(self.time, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        except ValueError:
            raise BadSignature("its time is malformed") from None
        parts = self.scope.split("/")
        if len(parts) != 4 or parts[3] != "aws4_request" or parts[0] != self.time[:8]:
            raise BadSignature("its credential scope is malformed")
        if "host" not in self.signed_headers.split(";"):
            raise BadSignature("its host header is not signed")
        if now - when > SKEW:
            raise BadSignature("it expired: signatures hold for 15 minutes")
        if when - now > SKEW:
            raise BadSignature("it is from the future: a clock is wrong")
        if not hmac.compare_digest(self.signature(secret).encode(), given.encode()):
            raise BadSignature("the signature does not match the secret key")
