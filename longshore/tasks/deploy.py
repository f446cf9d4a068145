"""The main job: a revision, live."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks import catalogue, plan
from longshore.tasks.session import Opened
from longshore.tasks.world import World


@task(
    help={
        "environment": "where to; an [environments.NAME] of longshore.toml (default: local)",
        "skip-checks": "leave lint, test and scan out; refused for a protected environment",
        "force": "a step, or a group of steps, that runs whatever is known of it; may be given again",
        "keep-going": "run what can run after a failure, and say all that failed",
        "probe": "requests a second that ask the public address all along; too many failed ones make the release bad",
        "allow-older": "release a commit that does not contain what a protected environment runs",
        "dry-run": "say what would run and why, and run nothing",
        "json": "one JSON document on standard output, all else on standard error",
    },
    iterable=["force"],
)
def deploy(
    context: Context,
    force: list[str],
    environment: str = "local",
    skip_checks: bool = False,
    keep_going: bool = False,
    probe: float = 0.0,
    allow_older: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Bring this revision live: check, build, apply, roll out."""
    with Opened(as_json=json) as run:
        world = World(run.settings, environment, run.runner, probe=probe, allow_older=allow_older)
        catalogue.guard(world, skip_checks=skip_checks)
        if dry_run:
            whole = catalogue.graph(world, with_checks=not skip_checks)
            plan.show(run, whole, [name for given in force for name in whole.find(given)])
            return
        run.console.line(f"deploying {world.source.revision} to {environment}")
        with world.claim("deploy"):
            whole = catalogue.graph(world, with_checks=not skip_checks)
            forced = [name for given in force for name in whole.find(given)]
            report = run.run(whole, forced=forced, keep_going=keep_going)
        finish(run, world, changed="release" in report.ran)


def finish(run: Opened, world: World, *, changed: bool) -> None:
    """Print where the release is to be seen."""
    outputs, digest = world.infra.outputs(), world.image.digest()
    run.data(
        url=outputs["url"],
        revision=world.source.revision,
        digest=digest,
        changed=changed,
        seconds=round(run.seconds, 2),
    )
    world.infra.write_dotenv(outputs, world.source.revision, digest)
    url = str(outputs["url"])
    rows = [
        ("url", url),
        ("revision", world.source.revision),
        ("digest", digest),
        (
            "took",
            f"{run.seconds:.1f} s"
            + ("" if changed else "; nothing was rebuilt or rolled out: it serves already"),
        ),
    ]
    if world.authority:
        rows.append(("try", f"curl --cacert {world.authority} {url}"))
    rows.append(
        (
            "next",
            "change a line in application/, then `invoke deploy` again; `invoke status`, `invoke local.down`",
        )
    )
    run.console.summary(rows)
