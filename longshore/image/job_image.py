"""The image that a pipeline's jobs run in: every tool, made of ci/Dockerfile, named by what it is made from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from longshore.errors import BadInput, CommandFailed, StepFailed
from longshore.graph.steps import Progress
from longshore.image import docker_config, problems, registry
from longshore.image.registry import Reference, Unreachable
from longshore.process.command import Command
from longshore.process.runner import Runner
from longshore.snapshot.snapshot import Snapshot

DOCKERFILE = "ci/Dockerfile"
MADE_OF = ("ci", "requirements/nox.txt", "requirements/dev.txt")


class Describe(Protocol):
    """Describes the command that builds CONTEXT, pushes it as NAME and writes its digest to METADATA."""

    def __call__(
        self, *, context: Path, dockerfile: Path, name: str, metadata: Path, env: Mapping[str, str]
    ) -> Command: ...


def provide(
    repository: str,
    sources: Snapshot,
    runner: Runner,
    describe: Describe,
    progress: Progress,
    *,
    own: Path,
    login: str = "",
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Return REPOSITORY@DIGEST of the image that SOURCES make, built and pushed unless it is there.

    OWN is the user's Docker configuration; LOGIN (`user:password` in base64) comes before what that holds. Raises
    BadInput without ci/Dockerfile, StepFailed with the builder's own last lines.
    """
    if DOCKERFILE not in sources.entries:
        raise BadInput(f"there is no {DOCKERFILE}", hint="jobs without an image of their own install their tools")
    tag = sources.fingerprint(MADE_OF)[:16]
    reference = Reference.of(f"{repository}:{tag}")
    known = login or docker_config.login(own, reference.host)
    try:
        found = registry.digest(reference, known)
    except Unreachable as problem:  # a push will say why, in the builder's words
        say(f"{repository} was not asked whether it has the image: {problem}")
        found = ""
    if found:
        return f"{repository}@{found}"
    with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
        metadata, config = Path(folder) / "metadata.json", Path(folder) / "docker"
        context = sources.checkout()
        config.mkdir(mode=0o700)
        docker_config.write(config, own, {docker_config.server(reference.host): login} if login else {})
        command = describe(
            context=context,
            dockerfile=context / DOCKERFILE,
            name=f"{repository}:{tag}",
            metadata=metadata,
            env={"DOCKER_CONFIG": str(config)},
        )
        try:
            ended = runner.run(command, on_line=lambda line: progress(line) if line.startswith("#") else None)
        except CommandFailed as problem:
            raise problems.of(problem, "") from None
        digest = str(json.loads(metadata.read_text(encoding="utf-8")).get("containerimage.digest", ""))
    if not digest.startswith("sha256:"):
        raise StepFailed("the builder did not name the image's digest", detail=ended.tail)
    return f"{repository}@{digest}"
