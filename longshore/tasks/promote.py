"""What one environment verified, live in another one: the same image, never built again."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks.session import JSON, Session

if TYPE_CHECKING:
    from longshore.rollout.promotion import Verified
    from longshore.settings.model import Settings
    from longshore.tasks.world import World

HELP = {
    "from": "the environment that verified it: an [environments.NAME] of longshore.toml",
    "environment": "the environment that gets it",
    "digest": "which image (sha256:…), of those that its records hold as good (default: the last good release's)",
    "from-profile": "the AWS profile for the first one, where the shell's credentials are for the second alone",
    "from-job": "take what the job before this one verified, instead of asking the first one's cluster",
    "json": JSON,
}


@task(help=HELP | {"allow-older": "release a commit that does not contain what a protected environment runs"})
def promote(
    context: Context,
    from_: str,
    environment: str,
    digest: str = "",
    from_profile: str = "",
    from_job: bool = False,
    allow_older: bool = False,
    json: bool = False,
) -> None:
    """Copy the image that one environment verified to another one, and roll it out there."""
    with Session(as_json=json) as session:
        from longshore.tasks import catalogue, deploy

        world = _target(session, from_, environment, digest, from_profile, from_job, allow_older=allow_older)
        catalogue.require_answers(world)
        with world.claim("promote"):
            report = session.run(catalogue.graph(world, with_checks=False, applies=False), world.sources)
        deploy.finish(session, world, report.values, changed="release" in report.ran)


@task(name="promote", help=HELP)
def image(
    context: Context,
    from_: str,
    environment: str,
    digest: str = "",
    from_profile: str = "",
    from_job: bool = False,
    json: bool = False,
) -> None:
    """Copy the image that one environment verified to another one's registry; print its digest."""
    with Session(as_json=json) as session:
        from longshore.image.build import BuiltImage
        from longshore.tasks import catalogue

        world = _target(session, from_, environment, digest, from_profile, from_job)
        with world.claim("image.promote"):
            graph = catalogue.graph(world, with_checks=False, applies=False).only("image")
            copied = session.run(graph, world.sources).values.get("image", BuiltImage).digest
        session.data(digest=copied)
        if not json:
            session.publish(copied)


def _target(
    session: Session,
    origin: str,
    environment: str,
    digest: str,
    profile: str,
    from_job: bool,
    *,
    allow_older: bool = False,
) -> World:
    """Return ENVIRONMENT, to get what ORIGIN verified. Nothing is changed; raises Precondition where it never did."""
    from longshore.errors import BadInput, Precondition
    from longshore.files import Memory
    from longshore.rollout import promotion

    if origin == environment:
        raise BadInput(f"{environment} runs what it verified", hint="--from is another environment than -e")
    if digest and not re.fullmatch(promotion.DIGEST, digest):
        raise BadInput(f"{digest!r} is no digest", hint="`sha256:` and 64 digits, as `invoke history --json` shows it")
    session.settings.environment(environment)
    source = _source(session, origin, profile)
    if from_job:
        verified = promotion.Verified.handed_on(Memory(source.infra.folder), origin)
        if digest not in ("", verified.digest):
            hint = "leave out `--digest`, or `--from-job` to ask the records; nothing was changed"
            raise Precondition(f"{origin} handed on {verified.digest}, and not {digest}", hint=hint)
    else:
        verified = _asked(source, digest)
    promotion.require(verified, source.environment)
    found = promotion.Promotion(verified=verified, logins=source.image.logins)
    world = session.world(environment, commit=verified.revision, promotion=found, allow_older=allow_older)
    if source.local and not world.local:
        raise Precondition(
            f"{origin} is on this machine and {environment} is not: its images have another base",
            hint=f"`invoke deploy -e {environment}` builds one; promote between environments in AWS",
        )
    session.console.line(f"promoting {verified.revision} ({verified.digest[:19]}…) from {verified.named}")
    session.data(promoted={"from": origin, "release": verified.number, "revision": verified.revision})
    return world


def _source(session: Session, name: str, profile: str) -> World:
    """Return the environment called NAME, which is only read, as the AWS profile PROFILE if that is given."""
    from longshore.tasks.world import World

    settings = session.settings
    environment = settings.environment(name)
    if profile:
        settings = _as_profile(settings, name, profile)
    return World(settings, name, session.runner, partial(session.snapshot, committed=environment.protected))


def _as_profile(settings: Settings, name: str, profile: str) -> Settings:
    from msgspec.structs import replace

    from longshore.settings import credentials

    environment = settings.environment(name)
    env = credentials.of_profile(environment.aws_env, profile)
    return replace(settings, environments={**settings.environments, name: replace(environment, aws_env=env)})


def _asked(source: World, digest: str) -> Verified:
    """Return what the records in the cluster of SOURCE say of DIGEST, or of the last good release."""
    from longshore.errors import StepFailed
    from longshore.image import transfer
    from longshore.image.registry import Reference, Unreachable
    from longshore.kubernetes.api import Api
    from longshore.rollout import guard, promotion, records
    from longshore.rollout.promotion import Verified

    outputs = source.outputs()
    cluster = source.cluster(outputs)
    guard.cluster(source.environment, Api(cluster, source.runner), source.eks(outputs))  # whose records these are
    name = source.environment.name
    release = promotion.chosen(records.history(cluster, source.runner), digest, name)
    place = source.place(outputs)
    try:
        image = Reference.at(place.repository, release.digest)
        tag = transfer.tag_of(image, source.image.logins.ecr)
    except Unreachable as problem:
        raise StepFailed(f"the registry of {name} does not tell: {problem}", hint="nothing was changed") from None
    return Verified(
        environment=name,
        number=release.number,
        repository=place.repository,
        digest=release.digest,
        revision=release.revision,
        tag=tag,
        platform=place.platform,
    )
