"""An issuer of web identity tokens, such as a cluster or GitLab, for tests."""

from __future__ import annotations

import base64
import functools
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CLUSTER_ISSUER = "https://oidc.eks.eu-central-1.amazonaws.com/id/A"
AUDIENCE, SUBJECT = "sts.amazonaws.com", "project:shop"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@functools.cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    assert number >= 0
    return rsa.generate_private_key(65537, 2048)


class Issuer:
    """Signs tokens; each new issuer has another key."""

    made = 0

    def __init__(self, url: str, kind: str = "RS256") -> None:
        self.url, self.kind = url, kind
        Issuer.made = (Issuer.made + 1) % 3
        self._rsa, self._ec = rsa_key(Issuer.made), ec.generate_private_key(ec.SECP256R1())

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key as the issuer publishes it."""
        if self.kind == "RS256":
            numbers = self._rsa.public_key().public_numbers()
            key = {"kty": "RSA", "n": encoded(numbers.n.to_bytes(256)), "e": encoded(numbers.e.to_bytes(3))}
        else:
            point = self._ec.public_key().public_numbers()
            key = {"kty": "EC", "crv": "P-256", "x": encoded(point.x.to_bytes(32)), "y": encoded(point.y.to_bytes(32))}
        return {"keys": [{**key, "kid": "1", "alg": self.kind, "use": "sig"}]}

    @staticmethod
    def part(value: dict[str, Any]) -> str:
        return encoded(json.dumps(value).encode())

    def token(self, **other: Any) -> str:
        """Return a token for ten minutes; None leaves a claim out."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 600, **other}
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = f"{self.part({'alg': self.kind, 'kid': '1', 'typ': 'JWT'})}.{self.part(claims)}"
        if self.kind == "RS256":
            signature = self._rsa.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(self._ec.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32) + s.to_bytes(32)
        return f"{signed}.{encoded(signature)}"
