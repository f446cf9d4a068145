"""Commands of the user's own Docker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from longshore.process.command import Command, Secret, query

NONE: Mapping[str, Path] = MappingProxyType({})
# The other variables of buildx change what is in the image, or what describes it.
TAKES = (
    *("DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"),
    *("BUILDX_BUILDER", "BUILDX_CONFIG", "SSH_AUTH_SOCK"),
)
OWN = (*TAKES, "DOCKER_CONFIG")  # a build gets a copy of the configuration instead, with our login


def server_version() -> Command:
    """Print the version of the Docker daemon; fails where there is none."""
    return query("docker", "version", "--format={{.Server.Version}}", takes=OWN, deadline=20)


def buildx_version() -> Command:
    """Print the version of the plugin buildx."""
    return query("docker", "buildx", "version", takes=OWN, deadline=20)


def build(
    context: Path,
    dockerfile: Path,
    *,
    name: str,
    metadata: Path,
    platform: str,
    contexts: Mapping[str, str],
    env: Mapping[str, str | Secret],
    deadline: float,
    folders: Mapping[str, Path] = NONE,
) -> Command:
    """Build CONTEXT by DOCKERFILE for PLATFORM with buildx and push it as NAME; METADATA gets the digest.

    CONTEXTS, FOLDERS and the options are those of `buildctl.build`. An attestation holds the time of the build, so that
    each build would have another digest: there is none.
    """
    overrides = [f"--build-context={image}=docker-image://{reference}" for image, reference in contexts.items()]
    overrides += [f"--build-context={key}={folder}" for key, folder in folders.items()]
    return query(
        *("docker", "buildx", "build", f"--file={dockerfile}", f"--metadata-file={metadata}"),
        *("--progress=plain", "--build-arg=SOURCE_DATE_EPOCH=0", "--provenance=false", "--sbom=false"),
        *([f"--platform={platform}"] if platform else []),
        *overrides,
        f"--output=type=image,name={name},push=true,rewrite-timestamp=true,oci-mediatypes=true",
        str(context),
        takes=TAKES,
        env=env,
        deadline=deadline,
    )
