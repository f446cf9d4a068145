"""What is asked of the user's own Docker, where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from longshore.command import Command, Secret, query


def build(
    context: Path,
    dockerfile: str,
    *,
    name: str,
    metadata: Path,
    env: Mapping[str, str | Secret],
    deadline: float,
) -> Command:
    """Build CONTEXT with buildx and push it as NAME; the digest is written to METADATA. Same options as `buildctl.build`."""
    return query(
        "docker", "buildx", "build", f"--file={context / dockerfile}", f"--metadata-file={metadata}", "--progress=plain",
        "--build-arg=SOURCE_DATE_EPOCH=0", f"--output=type=image,name={name},push=true,rewrite-timestamp=true,oci-mediatypes=true",
        str(context), env=env, deadline=deadline,
    )  # fmt: skip
