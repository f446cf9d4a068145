"""Terraform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.commands import terraform
from longshore.errors import BadInput, GateFailed, Precondition
from longshore.steps.graph import Graph, Progress, Step
from longshore.tasks import catalogue
from longshore.tasks.session import Opened
from longshore.tasks.world import World

if TYPE_CHECKING:  # it brings msgspec, and `invoke --list` has a budget
    from longshore.steps.plan_summary import Change

HELP = {
    "environment": "an [environments.NAME] of longshore.toml (default: local)",
    "json": "one JSON document on standard output",
}


def _with_aws(run: Opened, environment: str, step: Step) -> World:
    """Run STEP once what it talks to is up."""
    world = World(run.settings, environment, run.runner)
    parts = catalogue.graph(world, with_checks=False)
    needed = parts.only("infra").steps
    needed.pop("infra")
    with world.claim(f"infra.{step.name}"):
        run.run(
            Graph(
                [*needed.values(), Step(name=step.name, title=step.title, run=step.run, needs=tuple(needed))]
            )
        )
    return world


def _told(changes: list[Change]) -> list[dict[str, object]]:
    return [
        {"address": one.address, "action": one.action, "details": one.details, "why": one.why}
        for one in changes
    ]


@task(help=HELP)
def bootstrap(context: Context, environment: str = "local", json: bool = False) -> None:
    """Make the bucket of the state; safe to repeat."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra

        def work(progress: Progress) -> str:
            from longshore.steps import state_bucket

            state_bucket.ensure(infra.environment, infra.bucket)
            return f"s3://{infra.bucket}"

        _with_aws(
            run, environment, Step(name="bootstrap", title="make the bucket of Terraform's state", run=work)
        )


@task(help=HELP)
def validate(context: Context, environment: str = "local", json: bool = False) -> None:
    """Check terraform/ for form and sense."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra

        def work(progress: Progress) -> str:
            run.runner.run(terraform.format_check(infra.root))
            run.runner.run(terraform.init_without_backend(infra.root, infra.env))
            run.runner.run(terraform.validate(infra.root, infra.env))
            return "terraform/ is formatted and valid"

        run.run(Graph([Step(name="validate", title="validate terraform/", run=work)]))


@task(help=HELP)
def plan(context: Context, environment: str = "local", json: bool = False) -> None:
    """Save a plan and say what it would change."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra

        found: list[Change] = []

        def work(progress: Progress) -> str:
            found.extend(infra.review(progress))
            return f"{len(found)} changes" if found else "no changes"

        _with_aws(run, environment, Step(name="plan", title="plan terraform/", run=work))
        run.data(changes=_told(found))
        run.console.line()
        for change in found:
            run.console.line(change.line)
        run.console.line(
            f"{len(found)} changes; `invoke infra.apply -e {environment}` applies this plan and no other"
            if found
            else "no changes"
        )


@task(help=HELP)
def drift(context: Context, environment: str = "local", json: bool = False) -> None:
    """Tell what somebody has changed (exit code 5) from what terraform/ would change (3)."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra
        found: list[list[Change]] = []

        def work(progress: Progress) -> str:
            found.extend(infra.drifted(progress))
            return f"{len(found[0])} drifted, {len(found[1])} pending"

        _with_aws(run, environment, Step(name="drift", title="compare the account with its state", run=work))
        drifted, pending = found
        run.data(drift=_told(drifted), pending=_told(pending))
        for title, changes in (
            ("drifted from what Terraform left", drifted),
            ("pending in terraform/", pending),
        ):
            run.console.line(f"{title}: {len(changes) or 'nothing'}")
            for change in changes:
                run.console.line(change.line)
        if drifted:
            raise GateFailed(
                f"{len(drifted)} resources of {environment} are other than Terraform left them",
                hint="`invoke infra.plan` says what an apply would set back",
            )
        if pending:
            raise Precondition(
                f"terraform/ holds {len(pending)} changes that {environment} does not have yet",
                hint="`invoke infra.plan` makes a plan to read; nothing has drifted",
            )


@task(positional=["lock"], help=HELP | {"lock": "the exact id, as a refused plan prints it"})
def unlock(context: Context, lock: str, environment: str = "local", json: bool = False) -> None:
    """Take the lock of Terraform's state from a run that is surely dead."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra
        infra.init()
        result = run.runner.run(terraform.force_unlock(infra.root, infra.env, lock), check=False)
        if result.exit_code != 0:
            raise BadInput(
                f"the state of {environment} has no lock with the id {lock}", detail=result.tail,
                hint="a plan that is refused prints the id",
            )  # fmt: skip
        run.console.line(f"the state of {environment} is unlocked")


@task(
    help=HELP
    | {
        "destroys": "address of a cluster, network, registry or zone that the plan may destroy; may be given again"
    },
    iterable=["destroys"],
)
def apply(context: Context, destroys: list[str], environment: str = "local", json: bool = False) -> None:
    """Apply the saved plan, and only that."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra

        def work(progress: Progress) -> str:
            return infra.apply(progress, destroys)

        _with_aws(run, environment, Step(name="apply", title="apply the saved plan", run=work))


@task(help=HELP)
def output(context: Context, environment: str = "local", json: bool = False) -> None:
    """Print what the infrastructure puts out."""
    with Opened(as_json=json) as run:
        outputs = World(run.settings, environment, run.runner).infra.outputs()
        run.data(**outputs)
        for name, value in outputs.items() if not json else ():
            print(f"{name} = {value}")


@task(help=HELP)
def state(context: Context, environment: str = "local", json: bool = False) -> None:
    """List the resources that Terraform's state holds."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra
        infra.init()
        resources = run.runner.run(terraform.state_list(infra.root, infra.env)).stdout.split()
        run.data(resources=resources)
        for resource in resources:
            run.console.line(resource)


@task(help=HELP | {"confirm": "the environment's name again; without it nothing is destroyed"})
def destroy(context: Context, environment: str = "local", confirm: str = "", json: bool = False) -> None:
    """Destroy the environment's infrastructure."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra

        def work(progress: Progress) -> str:
            return infra.destroy(progress, confirm=confirm)

        _with_aws(run, environment, Step(name="destroy", title="destroy the infrastructure", run=work))
