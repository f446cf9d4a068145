"""What a builder said, as a sentence: a mistake in the image, or something that is missing on this machine."""

from __future__ import annotations

from longshore.errors import CommandFailed, Failure, Precondition, StepFailed, ToolMissing

FOREIGN = "exec format error"  # what the kernel says of a program for another processor
PLUGIN = ("unknown flag: --file", "unknown command: docker buildx", "'buildx' is not a docker command")
SILENT = ("failed to connect to the docker API", "Cannot connect to the Docker daemon")


def of(problem: CommandFailed, platform: str) -> Failure:
    """Return the builder's PROBLEM with an image for PLATFORM as the user has to see it."""
    said, cause = problem.detail, _cause(problem.detail)
    if platform and FOREIGN in said:
        return Precondition(
            f"this builder cannot run programs for {platform}, which the nodes are",
            hint=f"`docker run --privileged --rm tonistiigi/binfmt --install {platform.partition('/')[2]}` makes "
            "Docker emulate it; or choose a builder of that kind with BUILDX_BUILDER, or let the pipeline build",
            detail=cause,
        )
    if problem.program == "docker" and any(text in said for text in PLUGIN):
        return ToolMissing("docker has no buildx", hint="install its package: docker-buildx-plugin or docker-buildx")
    if problem.program == "docker" and any(text in said for text in SILENT):
        return Precondition(
            "Docker does not answer",
            hint="start it, or choose another with DOCKER_CONTEXT or DOCKER_HOST; nothing was pushed or rolled out",
            detail=cause,
        )
    return StepFailed("the image cannot be built", detail=cause, hint="nothing was pushed or rolled out")


def _cause(tail: str) -> str:
    """Return the part of the builder's output that names the cause: what follows a rule of dashes, else the end."""
    lines = tail.splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("------")]
    return "\n".join(lines[rules[0] :] if rules else lines[-15:])
