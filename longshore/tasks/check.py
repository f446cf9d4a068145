"""The gates that need no environment."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks import catalogue, plan
from longshore.tasks.session import Opened

HELP = {
    "json": "one JSON document on standard output",
    "force": "run even what is unchanged since it last passed",
    "keep-going": "run what can run after a failure, and say all that failed",
    "dry-run": "say what would run and why, and run nothing",
}


def _run(names: tuple[str, ...], *, force: bool, keep_going: bool, dry_run: bool, as_json: bool) -> None:
    with Opened(as_json=as_json) as run:
        chosen = catalogue.gates(run.settings, run.runner).only(*names)
        forced = tuple(chosen.steps) if force else ()
        if dry_run:
            plan.show(run, chosen, forced)
            return
        report = run.run(chosen, forced=forced, keep_going=keep_going)
        if not report.ran:
            run.console.line(f"{', '.join(names)}: unchanged since the last pass; --force runs it again")


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
    """Check form and types: Python, YAML, Dockerfile."""
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
    """Look for insecure code, secrets, bad dependencies."""
    _run(("scan",), force=force, keep_going=keep_going, dry_run=dry_run, as_json=json)
