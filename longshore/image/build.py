"""The image: named by what it is built from, known by its digest."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from longshore.errors import CommandFailed, StepFailed
from longshore.files import Memory, write_atomically
from longshore.graph.steps import Progress
from longshore.image import generated, layer, layers, problems, registry
from longshore.image.logins import Logins
from longshore.image.registry import Reference, Unreachable
from longshore.process.command import Command, Secret
from longshore.process.runner import Runner
from longshore.settings.model import Environment, Settings
from longshore.snapshot.snapshot import Snapshot

TAG = 16  # digits of the fingerprint that an image's tag has


class Place(Struct, frozen=True, kw_only=True):
    """Where an image is to be: `repository` (HOST/NAME), and the `platform` (`linux/arm64`) of what will run it.

    An empty platform is the builder's own.
    """

    repository: str
    platform: str = ""


class BuiltImage(Struct, frozen=True, kw_only=True):
    """An image in its registry: `repository` (HOST/NAME), `digest` (`sha256:…`), hash of what it is made from."""

    repository: str
    digest: str
    fingerprint: str
    platform: str = ""

    @property
    def note(self) -> str:
        """The image as the console names it."""
        return f"{self.repository}@{self.digest[:19]}…"


class Builder(Protocol):
    """Describes the command that builds CONTEXT by DOCKERFILE on BASE, pushes it as NAME, and notes its digest.

    That is written to METADATA. FOLDERS are more that the Dockerfile copies from, by name.
    """

    def __call__(
        self,
        *,
        context: Path,
        dockerfile: Path,
        folders: Mapping[str, Path],
        name: str,
        metadata: Path,
        platform: str,
        base: str,
        env: Mapping[str, str | Secret],
    ) -> Command: ...


class Image(Struct, frozen=True, kw_only=True, dict=True):
    """The application's image in one environment. `base` returns what stands for the content of the base image.

    An image is asked for before it is built: whoever built it from the same has pushed it under the same tag, and a
    tag is never given twice.
    """

    settings: Settings
    environment: Environment
    runner: Runner
    sources: Callable[[], Snapshot]
    builder: Builder
    base: Callable[[], str]
    logins: Logins

    @property
    def _memory(self) -> Memory:
        return Memory(self.settings.work / "environments" / self.environment.name)

    def fingerprint(self, platform: str) -> str:
        """Return the hash of all that the image for PLATFORM is made from."""
        sources = self.sources()
        names = sources.context(self.settings.application.dockerfile)
        return sources.hashed(names, self.base(), platform, *filter(None, (self.added, self.made)))

    @property
    def added(self) -> str:
        """What identifies the layer that Longshore adds; an empty text where it adds none."""
        return layer.fingerprint() if self.settings.application.keeps.injected else ""

    @cached_property
    def made(self) -> str:
        """The Dockerfile that is made for an application without one, else an empty text. Raises BadInput."""
        sources, app = self.sources(), self.settings.application
        return "" if app.dockerfile in sources.entries else generated.dockerfile(app, sources)

    def remembered(self, place: Place | None = None) -> BuiltImage | None:
        """Return the image of these sources, at PLACE if that is given, as far as this checkout knows. Asks nobody."""
        try:
            image = msgspec.convert(self._memory.get("image"), BuiltImage)
        except msgspec.ValidationError:
            return None
        if place and (image.repository, image.platform) != (place.repository, place.platform):
            return None
        return image if image.fingerprint == self.fingerprint(image.platform) else None

    def find(self, place: Place) -> BuiltImage | None:
        """Return the image of these sources if the registry has it.

        None also where the registry does not answer: then a push will say why. Raises Precondition without a login.
        """
        reference = self._reference(place)
        try:
            digest = registry.digest(reference, self.logins.ecr)
        except Unreachable:
            return None
        self._asked.add(reference)
        return self._keep(place, digest) if digest else None

    def provide(self, place: Place, progress: Progress) -> BuiltImage:
        """Return the image, built and pushed if the registry does not have it.

        Raises StepFailed with the builder's own last lines, Precondition if there is none that builds for the platform.
        """
        if self._reference(place) not in self._asked and (found := self.find(place)):
            return found
        try:
            return self._keep(place, self._build(place, progress))
        except CommandFailed as problem:
            if found := self.find(place):  # somebody else was faster
                return found
            raise problems.of(problem, place.platform) from None

    def _build(self, place: Place, progress: Progress) -> str:
        """Build the image, push it and return its digest."""
        reference = self._reference(place)
        with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
            metadata, config = Path(folder) / "metadata.json", Path(folder) / "docker"
            self.logins.configure(config, place.repository)
            context = self.sources().checkout()
            folders: Mapping[str, Path] = {}
            name, made, add = self.settings.application.dockerfile, self.made, bool(self.added)
            dockerfile = context / name
            if made or add:
                dockerfile, folders = layer.write(Path(folder), context, name, made=made, add=add)
            command = self.builder(
                context=context,
                dockerfile=dockerfile,
                folders=folders,
                name=f"{place.repository}:{reference.version}",
                metadata=metadata,
                platform=place.platform,
                base=self.base(),
                env={"DOCKER_CONFIG": str(config)},
            )
            ended = self.runner.run(
                command, on_line=lambda line: progress(_readable(line)) if line.startswith("#") else None
            )
            digest = str(json.loads(metadata.read_text(encoding="utf-8")).get("containerimage.digest", ""))
        if not digest.startswith("sha256:"):
            raise StepFailed("the builder did not name the image's digest", detail=ended.tail)
        return digest

    def _keep(self, place: Place, digest: str) -> BuiltImage:
        """Remember the image at PLACE with DIGEST, and describe it for the report."""
        fingerprint = self.fingerprint(place.platform)
        image = BuiltImage(repository=place.repository, digest=digest, fingerprint=fingerprint, platform=place.platform)
        self._memory.put("image", **msgspec.to_builtins(image), base=self.base(), at=time.time())
        reference = msgspec.structs.replace(self._reference(place), version=digest)
        made_of = layers.of(reference, self.logins.ecr)
        report = {"digest": digest, "base": self.base(), "layers": made_of}
        write_atomically(self.settings.work / "report" / "image.json", json.dumps(report, indent=1))
        return image

    def _reference(self, place: Place) -> Reference:
        return Reference.at(place.repository, self.fingerprint(place.platform)[:TAG])

    @cached_property
    def _asked(self) -> set[Reference]:
        """What the registry did not have, or had, when it was last asked."""
        return set()


def _readable(line: str) -> str:
    """Return a line of the builder's progress without its number."""
    return line.partition(" ")[2].strip() or line
