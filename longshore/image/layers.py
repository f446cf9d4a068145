"""What an image consists of, asked from its registry."""

from __future__ import annotations

import contextlib
from typing import Any

from longshore.image.registry import Reference, Unreachable, document


def of(image: Reference, login: str) -> list[dict[str, Any]]:
    """Return the layers of IMAGE, lowest first: compressed `bytes`, and the instruction (`made_by`).

    LOGIN is `user:password` in base64. The list is empty where the registry does not answer: a report is no reason to
    fail.
    """
    with contextlib.suppress(Unreachable, ValueError, LookupError, TypeError, StopIteration):
        manifest = document(image, f"manifests/{image.version}", login)
        if "manifests" in manifest:  # one for each processor, and attestations, which are for none
            found = next(entry for entry in manifest["manifests"] if entry["platform"]["os"] != "unknown")
            manifest = document(image, f"manifests/{found['digest']}", login)
        config = document(image, f"blobs/{manifest['config']['digest']}", login)
        made = [_instruction(step) for step in config.get("history", ()) if not step.get("empty_layer")]
        sizes = [int(layer["size"]) for layer in manifest["layers"]]
        if len(made) != len(sizes):
            made = [""] * len(sizes)
        return [{"bytes": size, "made_by": by} for size, by in zip(sizes, made, strict=True)]
    return []


def _instruction(step: dict[str, Any]) -> str:
    return " ".join(str(step.get("created_by", "")).removesuffix("# buildkit").split())[:200]
