"""The gates, which need no environment."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks.session import JSON, Session

HELP = {
    "json": JSON,
    "force": "re-run gates that are up to date as well",
    "keep-going": "after a failure, run what does not depend on it, and report every failure",
    "dry-run": "say what would run and why; run nothing",
}


def _run(names: tuple[str, ...], *, force: bool, keep_going: bool, dry_run: bool, as_json: bool) -> None:
    with Session(as_json=as_json) as session:
        from longshore.tasks import catalogue, plan

        chosen = catalogue.gates(session.settings, session.runner, session.snapshot).only(*names)
        forced = tuple(chosen.steps) if force else ()
        if dry_run:
            plan.show(session, chosen, session.snapshot, forced)
            return
        report = session.run(chosen, session.snapshot, forced=forced, keep_going=keep_going)
        if chosen.steps and not report.ran:
            on = ", ".join(name for name in names if name not in chosen.off)
            session.console.line(f"{on}: unchanged since it last passed; --force runs it again")


@task(help=HELP)
def check(
    context: Context, force: bool = False, keep_going: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Run lint, test and scan."""
    _run(("lint", "test", "scan"), force=force, keep_going=keep_going, dry_run=dry_run, as_json=json)


@task(help=HELP)
def lint(
    context: Context, force: bool = False, keep_going: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Check style and types: Python, YAML, Dockerfile."""
    _run(("lint",), force=force, keep_going=keep_going, dry_run=dry_run, as_json=json)


@task(help=HELP)
def test(
    context: Context, force: bool = False, keep_going: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Run the unit tests."""
    _run(("test",), force=force, keep_going=keep_going, dry_run=dry_run, as_json=json)


@task(help=HELP)
def scan(
    context: Context, force: bool = False, keep_going: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Look for insecure code, secrets, vulnerable dependencies."""
    _run(("scan",), force=force, keep_going=keep_going, dry_run=dry_run, as_json=json)
