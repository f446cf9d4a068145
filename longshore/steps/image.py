"""The image: named by what it was built from, known by its digest."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from longshore.command import Command, Secret
from longshore.errors import CommandFailed, StepFailed
from longshore.runner import Runner
from longshore.settings import Environment, Settings
from longshore.steps import aws, fingerprint, layers
from longshore.steps.graph import Progress
from longshore.steps.memory import Memory, write_atomically


class Builder(Protocol):
    """Describes the command that builds FOLDER, pushes it as NAME and writes its digest to METADATA."""

    def __call__(self, *, name: str, metadata: Path, env: Mapping[str, str | Secret]) -> Command: ...


@dataclass(frozen=True, kw_only=True)
class Image:
    """The application's image in one environment. `base` stands for the content of the base image."""

    settings: Settings
    environment: Environment
    runner: Runner
    builder: Builder
    base: str

    @property
    def memory(self) -> Memory:
        """What was built from this checkout."""
        return Memory(self.settings.work / "environments" / self.environment.name)

    def fingerprint(self) -> str:
        """Return the hash of all that the image is made from."""
        app = self.settings.application
        return fingerprint.of(
            self.settings.root, (app.path, app.dockerfile, app.requirements, ".dockerignore"), self.base
        )

    def digest(self) -> str:
        """Return the digest of the image that these sources gave, `sha256:…`, or an empty text."""
        known = self.memory.get("image")
        return str(known.get("digest", "")) if known.get("fingerprint") == self.fingerprint() else ""

    def settled(self) -> str | None:
        """Return a reason when these sources are in the registry already."""
        digest = self.digest()
        return f"the same sources are {digest[:19]}" if digest else None

    def build(self, outputs: Mapping[str, Any], progress: Progress) -> str:
        """Build and push; return a few words with the digest. Raises StepFailed with the builder's own last lines."""
        repository = str(outputs["repository_url"])
        mark = self.fingerprint()
        name = f"{repository}:{mark[:16]}"
        with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
            metadata = Path(folder) / "metadata.json"
            token = self._log_in(Path(folder), repository)
            command = self.builder(name=name, metadata=metadata, env={"DOCKER_CONFIG": folder})
            try:
                result = self.runner.run(
                    command, on_line=lambda line: progress(_readable(line)) if line.startswith("#") else None
                )
            except CommandFailed as problem:
                raise StepFailed(
                    "the image cannot be built",
                    detail=_cause(problem.detail),
                    hint="nothing was pushed or rolled out",
                ) from None
            if self.runner.dry_run:
                return "would be built"
            digest = str(json.loads(metadata.read_text()).get("containerimage.digest", ""))
        if not digest.startswith("sha256:"):
            raise StepFailed("the builder names no digest", detail=result.tail)
        self.memory.put("image", fingerprint=mark, digest=digest, repository=repository)
        report = {"digest": digest, "layers": layers.of(repository, digest, token)}
        write_atomically(self.settings.work / "report" / "image.json", json.dumps(report, indent=1))
        return f"{repository}@{digest[:19]}…"

    def _log_in(self, folder: Path, repository: str) -> str:
        """Write the registry's login where the builder looks for it, a private file that lives as long as the build; return it."""
        with aws.errors("the registry's login"):
            data = aws.client(self.environment, "ecr").get_authorization_token()["authorizationData"][0]
        token = data["authorizationToken"]
        base64.b64decode(token, validate=True)
        auths = {repository.partition("/")[0]: {"auth": token}}
        environ = self.settings.environ
        if (user := environ.get("DOCKER_UNAME")) and (password := environ.get("DOCKER_PWORD")):
            # The GitLab project that this one continues pulls its base image as a named user of Docker Hub.
            auths["https://index.docker.io/v1/"] = {
                "auth": base64.b64encode(f"{user}:{password}".encode()).decode()
            }
        config = folder / "config.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps({"auths": auths}))
        return str(token)


def _readable(line: str) -> str:
    """Return a line of the builder's progress without its number."""
    return line.partition(" ")[2].strip() or line


def _cause(tail: str) -> str:
    """Return the part of the builder's output that names what is wrong: what comes after the rule of dashes, else all."""
    lines = tail.splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("------")]
    return "\n".join(lines[rules[0] :] if rules else lines[-15:])
