"""A stand-in for GitLab or GitHub as an issuer of identity tokens, which the local AWS verifies as it does theirs."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.layout import Layout
from longshore.files import from_json, locked, write_atomically

LASTS = 3600  # seconds for which a token is good; a job of GitLab's has it for as long as it may run

Signer = Callable[[Mapping[str, str | int]], str]


@contextlib.contextmanager
def issuing(layout: Layout, url: str) -> Iterator[Signer]:
    """Yield what signs claims as the issuer at URL. The key is in memory, and trusted for as long as this lasts."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key, name = rsa.generate_private_key(65537, 2048), secrets.token_hex(8)
    numbers = key.public_key().public_numbers()
    public = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name}
    public |= {"n": _text(numbers.n.to_bytes(256)), "e": _text(numbers.e.to_bytes(3))}

    def sign(claims: Mapping[str, str | int]) -> str:
        now = int(time.time())
        whole = {"iss": url, "iat": now, "nbf": now, "exp": now + LASTS, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": name}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (header, whole))
        return f"{signed}.{_text(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    file = layout.cluster_file.with_name("issuers.json")
    _change(file, url, lambda keys: [*keys, public])
    try:
        yield sign
    finally:
        _change(file, url, lambda keys: [each for each in keys if each.get("kid") != name])


def _change(file: Path, url: str, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the keys of the issuer at URL in FILE. The local AWS, another user, reads it at each call."""
    with locked(file.with_name("issuers.lock"), time.sleep):
        try:
            known = from_json(file.read_bytes(), dict[str, dict[str, list[Any]]])
        except (OSError, ValueError):
            known = {}
        known[url] = {"keys": change(known.get(url, {}).get("keys", []))}
        write_atomically(file, json.dumps(known, indent=1) + "\n")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
