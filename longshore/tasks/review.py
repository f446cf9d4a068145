"""Review environments: a branch, live beside the environment whose cluster it shares, until its merge request ends."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import BadInput, LockHeld, Precondition
from longshore.tasks.session import JSON, Session

if TYPE_CHECKING:
    from longshore.graph.steps import Progress
    from longshore.infra.outputs import Outputs, Slot
    from longshore.rollout.slots import Board, Claim
    from longshore.settings.pipeline import Review
    from longshore.tasks.slot_world import SlotWorld
    from longshore.tasks.world import World

HELP = {"json": JSON}
NAME = {"name": "the branch (default: that of the job, or the one that is checked out)"}


@task(help=HELP)
def prepare(context: Context, json: bool = False) -> None:
    """Make the slots' namespaces and what may be done there; for an administrator, once."""
    with Session(as_json=json) as session:
        from longshore.image.build import BuiltImage
        from longshore.rollout import review

        settings, base = _base(session)
        outputs = _outputs(base)
        nothing = BuiltImage(repository=outputs.repository_url, digest=f"sha256:{'0' * 64}", fingerprint="")
        prepared = []
        for slot in outputs.review_slots:
            world = _world(session, settings, slot)

            def work(progress: Progress, world: SlotWorld = world) -> str:
                seen = world.outputs()
                review.prepare(world.site(seen), world.manifest(world.target(seen, nothing)))
                return world.environment.namespace

            session.work(world, "review.prepare", f"prepare {slot.namespace}", work, guard=world.guard)
            prepared.append(slot.namespace)
        session.data(prepared=prepared)


@task(help=HELP | NAME)
def deploy(context: Context, name: str = "", json: bool = False) -> None:
    """Build this revision and release it to a slot of its branch; again to bring it up to date."""
    with Session(as_json=json) as session:
        from longshore.graph.steps import Values
        from longshore.image.build import BuiltImage
        from longshore.infra.outputs import Applied
        from longshore.rollout import slots
        from longshore.tasks import catalogue
        from longshore.tasks import deploy as deployed

        settings, base = _base(session)
        catalogue.require_answers(base)
        branch, board, job = _branch(session, name), _board(session, base), session.settings.job
        until = slots.now(settings.hours)
        label, requests = slots.label(branch), tuple(filter(None, ["" if name else job.request]))
        claim = slots.Claim(label=label, branch=branch, until=until, actor=job.actor, job=job.url, requests=requests)
        try:
            slot = board.take(claim)
        except LockHeld:
            if not _end(session, settings, board, lambda held: held.over(slots.now()), whole=False):
                raise
            slot = board.take(claim)
        session.console.line(f"{branch} has {slot.host_name} until {until[:16]} UTC")
        world = _world(session, settings, slot, held=lambda: slot in [own for own, _ in board.of(claim.label)])
        with world.claim("review.deploy"):
            report = session.run(catalogue.graph(world, with_checks=False, applies=False), world.sources)
        values: Values = report.values
        url, digest = values.get("infra", Applied).outputs.url, values.get("image", BuiltImage).digest
        session.data(name=branch, slot=slot.namespace, until=until, changed="release" in report.ran)
        deployed.hand_on(session, url, world.snapshot.revision, digest)
        rows = [("url", url), ("revision", world.snapshot.revision), ("until", f"{until[:16]} UTC")]
        rows += [("next", _ends_it(branch))]
        session.console.summary(rows)


@task(help=HELP | NAME)
def stop(context: Context, name: str = "", json: bool = False) -> None:
    """Delete what a branch has in its slot, and free that; done if there is nothing.

    A merge request's job leaves it to the branch's other requests, if there are any.
    """
    with Session(as_json=json) as session:
        from longshore.rollout import slots

        settings, base = _base(session)
        branch, board = _branch(session, name), _board(session, base)
        label, request = slots.label(branch), "" if name else session.settings.job.request
        board.leave(label, request)
        ended = _end(session, settings, board, lambda claim: claim.ends(label, request))
        session.data(name=branch)
        others = () if ended else [other for _, claim in board.of(label) for other in claim.requests]
        nothing = f"stays, for request {', '.join(others)}" if others else "has no slot: there is nothing to end"
        session.console.line(f"{branch} {'has ended' if ended else nothing}")


@task(help=HELP)
def prune(context: Context, json: bool = False) -> None:
    """End each review environment whose time is over."""
    with Session(as_json=json) as session:
        from longshore.rollout import slots

        settings, base = _base(session)
        ended = _end(session, settings, _board(session, base), lambda claim: claim.over(slots.now()))
        session.console.line(f"ended: {', '.join(ended)}" if ended else "no time is over")


@task(name="list", help=HELP)
def list_(context: Context, json: bool = False) -> None:
    """Show which branch has which slot, and until when."""
    with Session(as_json=json) as session:
        _, base = _base(session)
        rows = [
            {"slot": slot.namespace, "url": slot.url}
            | ({"name": claim.branch, "until": claim.until, "actor": claim.actor, "job": claim.job} if claim else {})
            for slot, claim in _board(session, base).claims()
        ]
        session.data(slots=rows)
        for row in rows:
            whose = f"{row['name']} until {row['until'][:16]} UTC, by {row['actor']}" if "name" in row else "free"
            session.console.line(f"{row['slot']}  {row['url']}  {whose}")


def _base(session: Session) -> tuple[Review, World]:
    """Return the settings of review environments, and the environment whose cluster they share."""
    settings = session.settings.pipeline.review
    if settings is None:
        hint = 'a table [pipeline.review] with `environment = "staging"` names the environment whose cluster they share'
        raise BadInput("longshore.toml has no review environments", hint=hint)
    return settings, session.world(settings.environment)


def _outputs(base: World) -> Outputs:
    """Return the outputs as they are now. Raises Precondition where there are no slots."""
    outputs = base.outputs() if base.stopped else base.infra.read().outputs  # the first says how it is started
    if not outputs.review_slots:
        name = base.environment.name
        hint = f"`review_slots` in the Terraform variables of {name}, and `invoke infra.plan -e {name}`, make some"
        raise Precondition(f"{name} has no slots for review environments", hint=hint)
    return outputs


def _board(session: Session, base: World) -> Board:
    """Return the slots, once account and cluster are those of the settings."""
    from longshore.kubernetes.api import Api
    from longshore.rollout import guard
    from longshore.rollout.slots import Board

    outputs = _outputs(base)
    api = Api(base.cluster(outputs), session.runner)
    guard.cluster(base.environment, api, base.eks(outputs))
    return Board(api, outputs.review_slots)


def _world(session: Session, settings: Review, slot: Slot, **options: Callable[[], bool]) -> SlotWorld:
    from longshore.tasks.slot_world import SlotWorld

    return SlotWorld(session.settings, session.runner, session.snapshot, settings, slot, **options)


def _end(
    session: Session, settings: Review, board: Board, ends: Callable[[Claim], bool], *, whole: bool = True
) -> list[str]:
    """End what is in each slot whose claim ENDS; return the branches that had them.

    One that cannot be ended keeps none of the others, and is raised last if this is to be done as a WHOLE.
    """
    from longshore.graph.scheduler import StepFailure
    from longshore.rollout import review

    ended: list[str] = []
    failed: StepFailure | None = None
    session.data(stopped=ended)
    for slot, claim in board.claims():
        if claim is None or not ends(claim):
            continue
        world, branch = _world(session, settings, slot), claim.branch

        def work(progress: Progress, world: SlotWorld = world, slot: Slot = slot, branch: str = branch) -> str:
            if not review.end(world.site(world.outputs()), board, slot, ends, progress):
                return "it is another one's by now"
            ended.append(branch)
            return f"{slot.namespace} is free"

        title = f"end what {branch} has in {slot.namespace}"
        try:
            with world.claim("review.stop"):
                session.work(world, "review.stop", title, work, guard=world.guard)
        except StepFailure as problem:
            failed = failed or problem
    if failed and whole:
        raise failed
    return ended


def _ends_it(branch: str) -> str:
    return f"`invoke review.stop --name {shlex.quote(branch)}` ends it"  # a name may be anything to a shell


def _branch(session: Session, name: str) -> str:
    """Return the branch that is meant. Raises BadInput where nothing says which."""
    from longshore.commands import git

    found = name or session.settings.job.branch
    if not found:
        found = session.runner.run(git.branch(session.settings.root), check=False).stdout.strip()
    if not found:
        raise BadInput("no branch is checked out here", hint="`--name` says which one it is about")
    return found
