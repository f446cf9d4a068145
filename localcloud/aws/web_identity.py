"""Web identity tokens, verified as STS does: whose signature, for whom, until when. Roles decide whom they trust.

AWS fetches an issuer's keys from its address. Nothing here leaves the machine, so the keys of the environment's own
cluster are known, and those of any other issuer if `issuers.json` in the folder of the local AWS has them.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from moto.iam.models import iam_backends

from localcloud.aws.options import ACCOUNT, PARTITION, current
from localcloud.aws.patching import Refused

LONGEST = 20_000  # characters; STS's own limit for a token
SKEW = 300  # seconds that a token may seem to be from the future


def verified(token: str) -> dict[str, Any]:
    """Return what TOKEN says. Raise Refused unless an issuer registered here has signed it, for us and for now."""
    signed, _, signature = token.rpartition(".")
    parts = signed.split(".")
    if len(token) > LONGEST or len(parts) != 2:
        raise _invalid("it is not a signed JWT")
    header, claims = (_object(part) for part in parts)
    providers = {f"https://{each.url}": each for each in iam_backends[ACCOUNT][PARTITION].open_id_providers.values()}
    provider = providers.get(str(claims.get("iss")))
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {claims.get('iss')}")
    keys = current().keys_of(str(claims["iss"]))
    if not keys:
        raise _invalid("Couldn't retrieve verification key from your identity provider")
    if not any(_signed(key, header, signed.encode(), _decoded(signature)) for key in keys):
        raise _invalid("its signature is not its issuer's")
    now, expires, start = time.time(), claims.get("exp"), claims.get("nbf", claims.get("iat", 0))
    if not isinstance(expires, int | float) or not isinstance(start, int | float):
        raise _invalid("it has no end")
    if expires <= now:
        raise Refused(400, "ExpiredTokenException", f"Token expired: current date/time {now:.0f}, expired {expires}")
    if start > now + SKEW:
        raise _invalid("it is not valid yet")
    if not set(_listed(claims.get("aud", []))) & set(provider.client_id_list) or not claims.get("sub"):
        raise _invalid("Incorrect token audience, or no subject")
    return claims


def _signed(key: dict[str, Any], header: dict[str, Any], data: bytes, signature: bytes) -> bool:
    """Whether SIGNATURE of DATA was made with the private half of the JWK KEY, by the algorithm of the key's kind."""
    if len({header.get("kid"), key.get("kid")} - {None}) > 1:  # another key's
        return False
    try:
        match key.get("kty"), header.get("alg"):
            case "RSA", "RS256":
                numbers = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
                numbers.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            case "EC", "ES256" if key.get("crv") == "P-256" and len(signature) == 64:
                point = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), ec.SECP256R1())
                pair = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
                point.public_key().verify(pair, data, ec.ECDSA(hashes.SHA256()))
            case _:
                return False
    except (InvalidSignature, KeyError, ValueError):
        return False
    return True


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(part))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _invalid("it is not a JWT")
    return value


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("it is not base64") from None


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text))


def _invalid(why: str) -> Refused:
    return Refused(400, "InvalidIdentityToken", f"The web identity token is refused: {why}")
