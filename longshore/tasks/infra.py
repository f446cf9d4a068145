"""Terraform."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.commands import terraform
from longshore.steps.graph import Graph, Progress, Step
from longshore.tasks import catalogue
from longshore.tasks.session import Opened
from longshore.tasks.world import World

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

        def work(progress: Progress) -> str:
            return "changes" if infra.plan(progress) else "no changes"

        _with_aws(run, environment, Step(name="plan", title="plan terraform/", run=work))
        changes = infra.changes()
        run.data(changes=changes)
        run.console.line()
        for change in changes:
            run.console.line(f"  {'+'.join(change['actions']):<14} {change['address']}")
        run.console.line(
            f"{len(changes)} changes; `invoke infra.apply -e {environment}` applies this plan"
            if changes
            else "no changes"
        )


@task(help=HELP)
def apply(context: Context, environment: str = "local", json: bool = False) -> None:
    """Apply the saved plan, and only that."""
    with Opened(as_json=json) as run:
        infra = World(run.settings, environment, run.runner).infra
        _with_aws(run, environment, Step(name="apply", title="apply the saved plan", run=infra.apply))


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
