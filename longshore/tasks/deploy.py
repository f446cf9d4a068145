"""The main job: a revision, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks.options import number
from longshore.tasks.session import JSON, Session

if TYPE_CHECKING:
    from longshore.graph.steps import Values
    from longshore.tasks.world import World


@task(
    help={
        "environment": "where to deploy: an [environments.NAME] of longshore.toml (default: local)",
        "skip-checks": "skip lint, test and scan; refused for a protected environment",
        "force": "re-run this step or group even if it is up to date; repeatable",
        "keep-going": "after a failure, run what does not depend on it, and report every failure",
        "probe": "request the URL at this rate (per second) during the rollout; too many failures fail the release"
        " (on AWS, from an address in api_allowed_cidrs: the web ACL blocks others above its rate)",
        "allow-older": "deploy a commit that does not contain what a protected environment runs",
        "dry-run": "say what would run and why; run nothing",
        "json": JSON,
    },
    iterable=["force"],
)
def deploy(
    context: Context,
    force: list[str],
    environment: str = "local",
    skip_checks: bool = False,
    keep_going: bool = False,
    probe: str = "0",
    allow_older: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Bring this revision live: check, build, apply, roll out."""
    with Session(as_json=json) as session:
        rate = number("probe", probe, float, 0, 10_000)
        world = session.world(environment, ahead=True, probe=rate, allow_older=allow_older)
        from longshore.tasks import catalogue, plan  # while git runs

        catalogue.require_answers(world)
        if skip_checks:
            catalogue.refuse_skipped_checks(world)
        if dry_run:
            graph = catalogue.graph(world, with_checks=not skip_checks)
            plan.show(session, graph, world.sources, [name for given in force for name in graph.find(given)])
            return
        session.console.line(f"deploying {world.snapshot.revision} to {environment}")
        if world.environment.protected and session.snapshot().dirty:
            session.console.line("uncommitted work in this folder is left out: a protected environment gets the commit")
        with world.claim("deploy"):
            graph = catalogue.graph(world, with_checks=not skip_checks)
            forced = [name for given in force for name in graph.find(given)]
            report = session.run(graph, world.sources, forced=forced, keep_going=keep_going)
        finish(session, world, report.values, changed="release" in report.ran)


def finish(session: Session, world: World, values: Values, *, changed: bool) -> None:
    """Say where the release serves, and hand it on to what comes after it."""
    from longshore.files import Memory
    from longshore.image.build import BuiltImage
    from longshore.infra.outputs import Applied
    from longshore.rollout.attempt import ReleaseResult
    from longshore.rollout.promotion import Verified

    url, image = values.get("infra", Applied).outputs.url, values.get("image", BuiltImage)
    digest, revision = image.digest, world.snapshot.revision
    number = values.get("release", ReleaseResult).number if changed else 0
    Verified.of(world.environment.name, number, image, revision).hand_on(Memory(world.infra.folder))
    session.data(changed=changed)
    hand_on(session, url, revision, digest)
    unchanged = "" if changed else "; already up to date, nothing was built or rolled out"
    rows = [("url", url), ("revision", revision), ("digest", digest), ("took", f"{session.seconds:.1f} s{unchanged}")]
    if world.authority:
        rows.append(("try", f"curl --cacert {world.authority} {url}"))
        path = world.settings.application.path
        where = "the sources" if path == "." else f"{path}/"
        rows.append(("next", f"edit {where} and run `invoke deploy` again; `invoke status`; `invoke local.down`"))
    else:
        name = world.environment.name
        rows.append(
            ("next", f"`invoke status -e {name}` names alarms that ring; `invoke rollback -e {name}` goes back")
        )
    session.console.summary(rows)


def hand_on(session: Session, url: str, revision: str, digest: str) -> None:
    """Write down where REVISION serves, for GitLab's dotenv report and GitHub's outputs."""
    from longshore.files import write_atomically

    session.data(url=url, revision=revision, digest=digest, seconds=round(session.seconds, 2))
    dotenv = f"LONGSHORE_URL={url}\nLONGSHORE_REVISION={revision}\nLONGSHORE_DIGEST={digest}\n"
    write_atomically(session.settings.work / "report" / "deploy.env", dotenv)
    if outputs := session.settings.job.outputs:
        with outputs.open("a", encoding="utf-8") as file:
            file.write(dotenv)
