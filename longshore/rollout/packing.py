"""A manifest in the form in which the cluster keeps it: compressed, in pieces that fit an object, its Secrets apart."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator

from longshore.commands.kubectl import listed
from longshore.process.command import Secret
from longshore.rollout.manifest import Manifest, Object

PIECE = 512 << 10  # bytes; the API server takes 1 MiB in an object


class Damaged(Exception):
    """What was packed is not all there."""


def pack(text: str) -> list[str]:
    """Return TEXT compressed, as at least one piece, each in base64. The same text always gives the same pieces."""
    data = gzip.compress(text.encode(), mtime=0)
    return [base64.b64encode(data[start : start + PIECE]).decode() for start in range(0, len(data), PIECE)]


def unpack(pieces: Iterable[str]) -> str:
    """Return the text in PIECES. Raises Damaged."""
    try:
        return gzip.decompress(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except (OSError, EOFError, zlib.error, binascii.Error, UnicodeDecodeError) as problem:
        raise Damaged(str(problem)) from None


def part(text: str) -> tuple[str, str]:
    """Return a manifest's TEXT with bare names instead of its Secrets, and the Secrets; empty if there are none."""
    objects = Manifest.parse(text).released if "Secret" in text else ()
    secrets = [item for item in objects if _is_secret(item)]
    if not secrets:
        return text, ""
    return listed((_bare(item) if _is_secret(item) else item for item in objects), indent=1), listed(secrets)


def join(text: str, secrets: str) -> str:
    """Return the manifest that `part` made TEXT and SECRETS of. Raises Damaged."""
    if not secrets:
        return text
    try:
        whole = iter(json.loads(secrets)["items"])
        return listed((next(whole) if _is_secret(item) else item for item in json.loads(text)["items"]), indent=1)
    except (ValueError, KeyError, RuntimeError) as problem:  # RuntimeError: fewer Secrets than names
        raise Damaged(str(problem)) from None


def values(secrets: str) -> Iterator[Secret]:
    """Yield what the Secrets in the manifest SECRETS hold."""
    for item in json.loads(secrets)["items"] if secrets else ():
        yield from (Secret(str(text)) for text in (item.get("stringData") or {}).values())
        for encoded in (item.get("data") or {}).values():
            yield Secret(str(encoded))
            try:
                yield Secret(base64.b64decode(encoded).decode())
            except ValueError:  # a key store, say
                continue


def _is_secret(item: Object) -> bool:
    return bool(item["kind"] == "Secret" and item["apiVersion"] == "v1")


def _bare(item: Object) -> Object:
    names = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": names}
