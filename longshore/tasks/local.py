"""The environment on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import BadInput, Precondition
from longshore.steps.graph import Graph, Progress, Step
from longshore.tasks import catalogue
from longshore.tasks.session import Opened
from longshore.tasks.world import World

if TYPE_CHECKING:
    from longshore.local.place import Place

HELP = {
    "environment": "an environment with a [environments.NAME.local] table (default: local)",
    "json": "one JSON document on standard output",
}


def _here(run: Opened, environment: str) -> tuple[World, Place]:
    world = World(run.settings, environment, run.runner)
    if world.place is None:
        raise Precondition(
            f"{environment} does not run on this machine",
            hint=f"[environments.{environment}] has no `local` table",
        )
    return world, world.place


@task(help=HELP)
def up(context: Context, environment: str = "local", json: bool = False) -> None:
    """Start every part that is not up."""
    with Opened(as_json=json) as run:
        world, _ = _here(run, environment)
        whole = catalogue.graph(world, with_checks=False)
        with world.claim("local.up"):
            report = run.run(whole.only(*(name for name in whole.steps if name not in ("image", "release"))))
        run.console.line(
            f"{environment} is up" + ("" if report.ran else "; it was before") + f" ({run.seconds:.1f} s)"
        )


@task(help=HELP)
def down(context: Context, environment: str = "local", json: bool = False) -> None:
    """Stop every part; only the state is kept."""
    with Opened(as_json=json) as run:
        from longshore.local import lifecycle

        world, place = _here(run, environment)

        def work(progress: Progress) -> str:
            lifecycle.down(place, run.runner, progress)
            return "stopped; its state is kept"

        with world.claim("local.down"):
            run.run(Graph([Step(name="down", title=f"stop {environment}", run=work)]))


@task(help=HELP | {"confirm": "the environment's name again; without it nothing is deleted"})
def reset(context: Context, environment: str = "local", confirm: str = "", json: bool = False) -> None:
    """Stop every part and forget everything."""
    with Opened(as_json=json) as run:
        from longshore.local import lifecycle

        world, place = _here(run, environment)
        if confirm != environment:
            raise BadInput(
                f"this deletes all that {environment} holds: releases, images, AWS",
                hint=f"`--confirm {environment}` says that you mean it",
            )

        def work(progress: Progress) -> str:
            import shutil

            lifecycle.reset(place, run.runner, progress)
            shutil.rmtree(world.infra.folder, ignore_errors=True)
            return "everything is forgotten"

        with world.claim("local.reset"):
            run.run(Graph([Step(name="reset", title=f"forget {environment}", run=work)]))


@task(help=HELP)
def status(context: Context, environment: str = "local", json: bool = False) -> None:
    """Say which parts are up."""
    with Opened(as_json=json) as run:
        from longshore.local import lifecycle

        _, place = _here(run, environment)
        found = lifecycle.status(place, run.runner)
        run.data(**found)
        for row in found["parts"]:
            mark = "up  " if row["ready"] else "down"
            run.console.line(f"  {mark}  {row['name']:<20} {row.get('said', '')}")
        run.console.line(f"  state: {place.state} ({found['disk_bytes'] / 1e6:.0f} MB)")


@task(help=HELP | {"part": "of which part (default: all)", "lines": "how many lines of each"})
def logs(
    context: Context, environment: str = "local", part: str = "", lines: int = 20, json: bool = False
) -> None:
    """Print the last lines that the parts wrote."""
    with Opened(as_json=json) as run:
        _, place = _here(run, environment)
        found = sorted(path for path in place.logs.glob(f"{part or '*'}*") if path.is_file())
        if not found:
            raise Precondition(
                f"no log of {part or 'any part'} in {place.logs}",
                hint="`invoke local.status` names the parts",
            )
        for path in found:
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            run.data(**{path.name: tail})
            run.console.line(f"== {path.name}")
            for line in tail:
                run.console.line(line)
