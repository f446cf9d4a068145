"""The environment on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import BadInput, Precondition
from longshore.tasks.options import number
from longshore.tasks.session import JSON, Session

if TYPE_CHECKING:
    from longshore.graph.steps import Progress, Values
    from longshore.tasks.local_cloud import LocalCloud
    from longshore.tasks.world import World

HELP = {"environment": "an environment with a [environments.NAME.local] table (default: local)", "json": JSON}
ID = "the environment with this id, as `invoke local.list` shows it, whatever became of its checkout"


def _local(world: World) -> LocalCloud:
    if world.local is None:
        name = world.environment.name
        raise Precondition(f"{name} does not run on this machine", hint=f"[environments.{name}] has no `local` table")
    return world.local


def require(world: World) -> LocalCloud:
    """Return the environment, to be started or stopped. Raises Precondition where it is not this checkout's."""
    found = _local(world)
    if not world.environment.ours:
        sentence = f"{world.environment.name} belongs to the checkout in {found.layout.checkout}"
        raise Precondition(sentence, hint="run the command there; here it is used, and neither started nor stopped")
    return found


@task(help=HELP)
def up(context: Context, environment: str = "local", json: bool = False) -> None:
    """Start everything that is not running."""
    with Session(as_json=json) as session:
        from longshore.tasks import catalogue

        world = session.world(environment)
        require(world)
        graph = catalogue.graph(world, with_checks=False)
        parts = graph.only(*(name for name in graph.steps if name not in ("image", "release")))
        with world.claim("local.up"):
            report = session.run(parts, world.sources)
        already = "" if report.ran else "; it was already"
        session.console.line(f"{environment} is up{already} ({session.seconds:.1f} s)")


def _target(session: Session, environment: str, wanted: str) -> tuple[LocalCloud, str, Path]:
    """Return the environment called ENVIRONMENT or, where it is given, with the id WANTED; its name; its records."""
    if wanted:
        from longshore.tasks.local_cloud import LocalCloud

        local = LocalCloud.by_id(session.settings, wanted, session.runner)
        return local, wanted, local.records
    world = session.world(environment)
    return require(world), environment, world.infra.folder


def _work(session: Session, records: Path, environment: str, word: str, work: Callable[[Progress], str]) -> None:
    """Do WORK on ENVIRONMENT as a step, alone; WORD is the command's name."""
    from longshore.claim import claim
    from longshore.graph.steps import Graph, Result, Step

    def run(progress: Progress, _: Values) -> Result:
        return Result(note=work(progress))

    title = f"{'stop' if word == 'down' else 'delete'} {environment}"
    with claim(records, environment, f"local.{word}"):
        session.run(Graph([Step(name=word, title=title, run=run)]), session.snapshot)


@task(help=HELP | {"id": ID})
def down(
    context: Context,
    environment: str = "local",
    id: str = "",  # noqa: A002 (the option's name)
    json: bool = False,
) -> None:
    """Stop everything; keep the state."""
    with Session(as_json=json) as session:
        local, name, records = _target(session, environment, id)

        def work(progress: Progress) -> str:
            local.down(progress)
            return "stopped; the state is kept"

        _work(session, records, name, "down", work)


@task(help=HELP | {"id": ID, "confirm": "the environment's name (or id) again; without it nothing is deleted"})
def reset(
    context: Context,
    environment: str = "local",
    id: str = "",  # noqa: A002 (the option's name)
    confirm: str = "",
    json: bool = False,
) -> None:
    """Stop everything and delete the state."""
    with Session(as_json=json) as session:
        local, name, records = _target(session, environment, id)
        if confirm != name:
            raise BadInput(
                f"this deletes everything in {name}: releases, images, its AWS account",
                hint=f"`--confirm {name}` confirms it",
            )

        def work(progress: Progress) -> str:
            local.reset(progress)
            shutil.rmtree(records, ignore_errors=True)
            return "stopped and deleted"

        _work(session, records, name, "reset", work)


@task(name="list", help={"json": JSON})
def list_(context: Context, json: bool = False) -> None:
    """List the environments of this machine, those of deleted checkouts too."""
    with Session(as_json=json) as session:
        from longshore.tasks.local_cloud import environments

        rows = environments(session.settings)
        session.data(environments=[row for row, _ in rows])
        for _, line in rows:
            session.console.line(line)
        if any(row["orphaned"] for row, _ in rows):
            session.console.line(
                "`invoke local.reset --id ID --confirm ID` deletes one, also of a checkout that is gone"
            )
        if not rows:
            session.console.line("no environment has run on this machine")


@task(help=HELP)
def status(context: Context, environment: str = "local", json: bool = False) -> None:
    """Show which parts are running."""
    with Session(as_json=json) as session:
        status = _local(session.world(environment)).status()
        session.data(**status)
        for part in status["parts"]:
            session.console.line(f"  {'up  ' if part['ready'] else 'down'}  {part['name']:<20} {part.get('said', '')}")
        session.console.line(f"  state: {status['state']} ({status['disk_bytes'] / 1e6:.0f} MB)")


@task(help=HELP | {"part": "only this part's logs (default: all)", "lines": "how many lines of each log"})
def logs(context: Context, environment: str = "local", part: str = "", lines: str = "20", json: bool = False) -> None:
    """Show the last lines of each part's log."""
    with Session(as_json=json) as session:
        count = number("lines", lines, int, 1, 1_000_000)
        files = _local(session.world(environment)).log_files(part)
        if not files:
            raise Precondition(f"there is no log of {part or 'any part'}", hint="`invoke local.status` names the parts")
        for path in files:
            tail = path.read_text(errors="replace", encoding="utf-8").splitlines()[-count:]
            session.data(**{path.name: tail})
            session.console.line(f"== {path.name}")
            for line in tail:
                session.console.line(line)
