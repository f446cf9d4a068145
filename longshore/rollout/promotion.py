"""What an environment ran and verified, so that another one can run the same."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Self

import msgspec
from msgspec import Struct

from longshore.errors import Precondition, StepFailed
from longshore.files import Memory
from longshore.graph.steps import Progress
from longshore.image import transfer
from longshore.image.build import TAG, BuiltImage, Place
from longshore.image.logins import Logins
from longshore.image.registry import Reference, Unreachable
from longshore.image.transfer import Transfer
from longshore.rollout.records import GOOD, Release
from longshore.settings.model import Environment

MEMORY = "verified"
DIGEST = r"sha256:[0-9a-f]{64}"


class Verified(Struct, frozen=True, kw_only=True):
    """An image that `environment` verified as its release `number` (0: not told): `repository`@`digest`.

    It is of the commit `revision` and for the processor `platform`, empty for a node on this machine. `tag` is its tag
    there.
    """

    environment: str
    number: int
    repository: str
    digest: str
    revision: str
    tag: str
    platform: str = ""

    @property
    def named(self) -> str:
        """Where it was verified, as a record says it."""
        return f"{self.environment}, release {self.number}" if self.number else self.environment

    @classmethod
    def of(cls, environment: str, number: int, image: BuiltImage, revision: str) -> Self:
        """Return what ENVIRONMENT verified as its release NUMBER: IMAGE, and the manifests of REVISION."""
        return cls(
            environment=environment,
            number=number,
            repository=image.repository,
            digest=image.digest,
            revision=revision,
            tag=image.fingerprint[:TAG],
            platform=image.platform,
        )

    def hand_on(self, memory: Memory) -> None:
        """Keep it for a pipeline's next job, which has no access to this environment's cluster."""
        memory.put(MEMORY, **msgspec.to_builtins(self))

    @classmethod
    def handed_on(cls, memory: Memory, environment: str) -> Self:
        """Return what the run before this one verified in ENVIRONMENT. Raises Precondition where that was nothing."""
        try:
            found = msgspec.convert(memory.get(MEMORY), cls)
        except msgspec.ValidationError:
            found = None
        if found is None or found.environment != environment:
            raise Precondition(
                f"no release of {environment} was handed on to this run",
                hint=f"`--from-job` is for a pipeline's job that follows a release to {environment}; leave it out",
            )
        return found


class Promotion(Struct, frozen=True, kw_only=True):
    """What was `verified`, and the `logins` of the environment that did."""

    verified: Verified
    logins: Logins

    def find(self, place: Place, login: str) -> BuiltImage | None:
        """Return the image if the registry at PLACE, which takes LOGIN, has it already under a tag."""
        tag, there = self._tag(place, login)
        return self._at(place, tag) if there else None

    def copy(self, place: Place, login: str, pause: Callable[[float], object], progress: Progress) -> BuiltImage:
        """Bring the image to PLACE as it is. PAUSE sleeps for some seconds, and raises when the run is to end.

        Raises Precondition where the nodes there are of another kind, StepFailed where a registry refuses.
        """
        verified = self.verified
        if place.platform != verified.platform:
            raise Precondition(
                f"the image is for {verified.platform}, and the nodes here are {place.platform}",
                hint="an environment that promotes to another one has nodes of the same kind; nothing was changed",
            )
        tag, there = self._tag(place, login)
        if not there:
            source = Reference.at(verified.repository, verified.digest)
            target = Reference.at(place.repository, tag)
            with _refusals():
                Transfer(
                    source=source, target=target, source_login=self.logins.ecr, target_login=login, pause=pause
                ).run(progress)
        return self._at(place, tag)

    def _tag(self, place: Place, login: str) -> tuple[str, bool]:
        with _refusals():
            return transfer.free_tag(Reference.at(place.repository, self.verified.digest), self.verified.tag, login)

    def _at(self, place: Place, tag: str) -> BuiltImage:
        digest, platform = self.verified.digest, place.platform
        return BuiltImage(repository=place.repository, digest=digest, fingerprint=tag, platform=platform)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a registry refuses into a failure that has changed nothing that serves."""
    try:
        yield
    except Unreachable as problem:
        hint = "nothing that serves was changed; run the same command again, it sends only what is missing"
        raise StepFailed(f"the image cannot be copied: {problem}", hint=hint) from None


def chosen(releases: list[Release], digest: str, environment: str) -> Release:
    """Return the newest good one of ENVIRONMENT's RELEASES, or the newest good one of DIGEST.

    Raises Precondition where there is none.
    """
    hint = f"nothing was changed; `invoke history -e {environment}` lists what it verified"
    of_digest = [release for release in releases if digest in ("", release.digest)]
    good = next((release for release in of_digest if release.verdict == GOOD), None)
    if good is not None:
        return good
    if not digest:
        raise Precondition(f"{environment} has no good release to promote", hint=hint)
    tried = f": its release {of_digest[0].number} is {of_digest[0].verdict}" if of_digest else ""
    raise Precondition(f"{environment} never verified {digest}{tried}", hint=hint)


def require(verified: Verified, source: Environment) -> None:
    """Raise Precondition where what SOURCE VERIFIED is not of a commit, or is not what Longshore writes down.

    Its facts are from a cluster's records or a job's artifact. They become an argument of git and an address to which a
    login is sent, so nothing else passes.
    """
    name = verified.environment
    if "-dirty-" in verified.revision:
        raise Precondition(
            f"{name} runs uncommitted work ({verified.revision}), which is not promoted",
            hint=f"commit it, `invoke deploy -e {name}`, then promote that",
        )
    # Only a registry on this machine has another address than ECR's.
    ecr = rf"{source.account}\.dkr\.ecr\.{source.region}\.amazonaws\.com(\.cn)?/[a-z0-9/._-]+"
    wanted = {
        "revision": r"[0-9a-f]{7,64}",
        "digest": DIGEST,
        "tag": r"[0-9a-f]{0,64}",
        "repository": r"[\w.:\[\]-]+/[a-z0-9/._-]+" if source.local else ecr,
    }
    for key, pattern in wanted.items():
        if not re.fullmatch(pattern, value := getattr(verified, key)):
            hint = f"nothing was changed; `invoke history -e {name} --json` shows the records"
            raise Precondition(
                f"the {key} of what {name} verified is {value!r}, which Longshore never writes", hint=hint
            )
