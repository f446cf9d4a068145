"""What an image consists of, asked from the registry's own API (the OCI distribution specification)."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from typing import Any

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TIMEOUT = 5.0  # seconds for each of at most three questions


def of(repository: str, digest: str, token: str) -> list[dict[str, Any]]:
    """Return the layers of REPOSITORY@DIGEST, the lowest first: compressed `bytes`, and the instruction that `made_by` them.

    TOKEN is the login in base64. An empty list where the registry does not say: a report is no reason to fail.
    """
    host, _, name = repository.partition("/")
    scheme = "https" if ".amazonaws.com" in host else "http"
    base = f"{scheme}://{host}/v2/{name}"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, StopIteration):
        manifest = _ask(f"{base}/manifests/{digest}", token)
        if "manifests" in manifest:  # one for each processor, and attestations, which are for none
            real = (one for one in manifest["manifests"] if one["platform"]["os"] != "unknown")
            manifest = _ask(f"{base}/manifests/{next(real)['digest']}", token)
        config = _ask(f"{base}/blobs/{manifest['config']['digest']}", token)
        made = [_words(one) for one in config.get("history", ()) if not one.get("empty_layer")]
        sizes = [int(layer["size"]) for layer in manifest["layers"]]
        if len(made) != len(sizes):
            made = [""] * len(sizes)
        return [{"bytes": size, "made_by": said} for size, said in zip(sizes, made, strict=True)]
    return []


def _words(made: dict[str, Any]) -> str:
    return " ".join(str(made.get("created_by", "")).removesuffix("# buildkit").split())[:200]


def _ask(url: str, token: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Accept": ", ".join(MANIFESTS)})  # noqa: S310
    # ECR sends blobs from S3, which takes no second login: a redirect is followed without it.
    request.add_unredirected_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  # nosec B310 - http and https alone
        found: dict[str, Any] = json.load(answer)
    return found
