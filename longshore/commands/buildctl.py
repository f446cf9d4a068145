"""Commands of BuildKit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from longshore.process.command import Command, Secret, query

NONE: Mapping[str, Path] = MappingProxyType({})
OUTPUT = "push=true,rewrite-timestamp=true,oci-mediatypes=true,compression=zstd,registry.insecure=true"


def build(
    program: str,
    address: str,
    context: Path,
    dockerfile: Path,
    *,
    name: str,
    metadata: Path,
    platform: str = "",
    contexts: Mapping[str, str],
    secrets: Mapping[str, Path],
    env: Mapping[str, str | Secret],
    deadline: float,
    folders: Mapping[str, Path] = NONE,
) -> Command:
    """Build CONTEXT by DOCKERFILE for PLATFORM, or the daemon's own, and push it as NAME; METADATA gets the digest.

    CONTEXTS replaces base images, by name; FOLDERS are what the Dockerfile copies from under a name; SECRETS are files,
    by id, that it may mount. All timestamps are constant, so that the same sources give the same digest. For that the
    upper layers are packed again at each build, which takes zstd a quarter of gzip's time.
    """
    overrides = [f"--opt=context:{image}=docker-image://{reference}" for image, reference in contexts.items()]
    overrides += [f"--opt=context:{key}=local:{key}" for key in folders]
    overrides += [f"--local={key}={folder}" for key, folder in folders.items()]
    mounts = [f"--secret=id={key},src={path}" for key, path in secrets.items()]
    return query(
        *(program, f"--addr={address}", f"--local=context={context}", f"--local=dockerfile={dockerfile.parent}"),
        *(f"--opt=filename={dockerfile.name}", "--opt=build-arg:SOURCE_DATE_EPOCH=0", *overrides, *mounts),
        *([f"--opt=platform={platform}"] if platform else []),
        *(f"--output=type=image,name={name},{OUTPUT}", f"--metadata-file={metadata}"),
        env=env,
        deadline=deadline,
    )
