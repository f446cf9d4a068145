"""Terraform."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import GateFailed, Precondition
from longshore.tasks.session import ENVIRONMENT, JSON, Session

if TYPE_CHECKING:
    from longshore.graph.steps import Progress
    from longshore.infra.cost import Estimate
    from longshore.infra.infra import Review
    from longshore.infra.summary import Change

HELP = {"environment": ENVIRONMENT, "json": JSON}
LOCK = {"lock": "--no-lock: do not lock the state, for a role that may only read it"}


def _data(changes: Iterable[Change]) -> list[dict[str, object]]:
    return [
        {
            "address": change.address,
            "action": change.action,
            "details": change.details,
            "why": change.why,
            "usd_a_month": round(change.usd, 2),
        }
        for change in changes
    ]


@task(help=HELP)
def bootstrap(context: Context, environment: str = "local", json: bool = False) -> None:
    """Create the bucket for Terraform's state; safe to repeat."""
    with Session(as_json=json) as session:
        world = session.world(environment)

        def work(progress: Progress) -> str:
            world.infra.bucket.ensure()
            return f"s3://{world.infra.bucket.name}"

        session.work(
            world,
            "bootstrap",
            "create the bucket for Terraform's state",
            work,
            needs_of="infra",
            guard=partial(world.guard, commit="any"),
        )


@task(help=HELP)
def validate(context: Context, environment: str = "local", json: bool = False) -> None:
    """Check the format and validity of terraform/."""
    with Session(as_json=json) as session:
        world = session.world(environment)

        def work(progress: Progress) -> str:
            world.infra.terraform.validate()
            return "terraform/ is formatted and valid"

        session.work(world, "validate", "validate terraform/", work)


@task(help=HELP | LOCK)
def plan(context: Context, environment: str = "local", lock: bool = True, json: bool = False) -> None:
    """Save a plan and show what it would change."""
    with Session(as_json=json) as session:
        from longshore.infra import zone

        world = session.world(environment)
        reviews: list[Review] = []

        def work(progress: Progress) -> str:
            reviews.append(world.infra.review(progress, lock=lock))
            return f"{len(reviews[0].changes)} changes" if reviews[0].changes else "no changes"

        session.work(
            world, "plan", "plan terraform/", work, needs_of="infra", guard=partial(world.guard, commit="pushed")
        )
        (review,) = reviews
        changes = review.changes
        session.data(changes=_data(changes), warnings=review.warnings, usd_a_month=round(review.usd, 2))
        session.console.line()
        for change in changes:
            session.console.line(change.line)
        for warning in review.warnings:
            session.console.sentence(warning, "  ! ")
        if review.usd:
            from longshore.infra import cost
            from longshore.infra.summary import amount

            dated = f"by list prices of {cost.prices().as_of}, without {cost.LEFT_OUT}"
            session.console.line(f"{amount(review.usd)} a month ({dated})")
        if zone.is_alone(changes):
            session.console.sentence(zone.FIRST)
        applies = f"{len(changes)} changes; `invoke infra.apply -e {environment}` applies exactly this plan"
        session.console.line(applies if changes else "no changes")


@task(help=HELP | {"profile": "small, standard or large: what that would cost instead"})
def cost(context: Context, environment: str = "local", profile: str = "", json: bool = False) -> None:
    """Estimate what the environment costs a month on AWS, by resource; asks no account."""
    with Session(as_json=json) as session:
        world = session.world(environment)
        estimates: list[Estimate] = []

        def work(progress: Progress) -> str:
            progress("planning with a made-up AWS")
            estimates.append(world.infra.estimate(profile))
            return f"{estimates[0].usd:.0f} USD a month"

        session.work(world, "cost", "estimate the cost", work)
        from longshore.infra.cost import LEFT_OUT

        (estimate,) = estimates
        session.data(
            usd_a_month=round(estimate.usd, 2),
            prices_of=estimate.as_of,
            region=estimate.region,
            resources=[{"address": item.address, "usd_a_month": round(item.usd, 2)} for item in estimate.items],
            left_out=LEFT_OUT,
            by_use=estimate.by_use,
            unknown=estimate.unknown,
        )
        session.console.line()
        for line in estimate.lines:
            session.console.line(line)


@task(help=HELP | LOCK)
def drift(context: Context, environment: str = "local", lock: bool = True, json: bool = False) -> None:
    """Find changes made by hand (exit code 5) and changes waiting to be applied (3)."""
    with Session(as_json=json) as session:
        world = session.world(environment)
        result: list[list[Change]] = []

        def work(progress: Progress) -> str:
            result.extend(world.infra.drifted(progress, lock=lock))
            return f"{len(result[0])} drifted, {len(result[1])} pending"

        session.work(
            world,
            "drift",
            "compare the account with Terraform's state",
            work,
            needs_of="infra",
            guard=partial(world.guard, commit="pushed"),
        )
        drifted, pending = result
        session.data(drift=_data(drifted), pending=_data(pending))
        for title, changes in (("drifted from Terraform's state", drifted), ("pending in terraform/", pending)):
            session.console.line(f"{title}: {len(changes) or 'nothing'}")
            for change in changes:
                session.console.line(change.line)
        if drifted:
            raise GateFailed(
                f"{len(drifted)} resources of {environment} were changed outside of Terraform",
                hint="`invoke infra.plan` shows what an apply would change back",
            )
        if pending:
            raise Precondition(
                f"{len(pending)} changes in terraform/ have not been applied to {environment}",
                hint="`invoke infra.plan` saves a plan to review; nothing has drifted",
            )


@task(positional=["lock"], help=HELP | {"lock": "the lock's exact id, as the refused command prints it"})
def unlock(context: Context, lock: str, environment: str = "local", json: bool = False) -> None:
    """Release the state lock of a run that is certainly dead."""
    with Session(as_json=json) as session:
        world = session.world(environment)
        world.require_running()
        world.infra.terraform.unlock(lock)
        session.console.line(f"the state of {environment} is unlocked")


@task(
    help=HELP | {"destroys": "address of a cluster, network, registry or zone that the plan may destroy; repeatable"},
    iterable=["destroys"],
)
def apply(context: Context, destroys: list[str], environment: str = "local", json: bool = False) -> None:
    """Apply the saved plan, and only that."""
    with Session(as_json=json) as session:
        world = session.world(environment)

        def work(progress: Progress) -> str:
            return world.infra.apply(progress, destroys).note

        session.work(world, "apply", "apply the saved plan", work, needs_of="infra", guard=world.guard)


@task(help=HELP)
def output(context: Context, environment: str = "local", json: bool = False) -> None:
    """Print Terraform's outputs."""
    with Session(as_json=json) as session:
        from longshore.infra import record

        world = session.world(environment)
        if not record.last(world.infra.memory):
            world.require_running()
        values = world.infra.values()
        session.data(**values)
        for name, value in values.items() if not json else ():
            print(session.console.safe(f"{name} = {value}"))


@task(help=HELP)
def state(context: Context, environment: str = "local", json: bool = False) -> None:
    """List the resources in Terraform's state."""
    with Session(as_json=json) as session:
        world = session.world(environment)
        world.require_running()
        resources = world.infra.terraform.resources()
        session.data(resources=resources)
        for resource in resources:
            session.console.line(resource)


@task(help=HELP | {"confirm": "the environment's name again; without it nothing is destroyed"})
def destroy(context: Context, environment: str = "local", confirm: str = "", json: bool = False) -> None:
    """Destroy the environment's infrastructure."""
    with Session(as_json=json) as session:
        world = session.world(environment)
        world.infra.require(confirm)  # before anything is started that it needs

        def work(progress: Progress) -> str:
            return world.infra.destroy(progress, confirm=confirm)

        session.work(
            world,
            "destroy",
            "destroy the infrastructure",
            work,
            needs_of="infra",
            guard=partial(world.guard, commit="any"),
        )
