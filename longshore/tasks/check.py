"""The gates that need no environment."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.steps import checks
from longshore.steps.graph import Graph
from longshore.tasks.session import Opened

HELP = {
    "json": "one JSON document on standard output",
    "force": "run even what is unchanged since it last passed",
}


def _run(names: tuple[str, ...], *, force: bool, as_json: bool) -> None:
    with Opened(as_json=as_json) as run:
        chosen = Graph(checks.steps(run.settings, run.runner)).only(*names)
        if force:
            for name in names:
                run.memory.forget(name)
        report = run.run(chosen)
        if not report.ran:
            run.console.line(f"{', '.join(names)}: unchanged since the last pass; --force runs it again")


@task(help=HELP)
def check(context: Context, force: bool = False, json: bool = False) -> None:
    """Run lint, test and scan."""
    _run(("lint", "test", "scan"), force=force, as_json=json)


@task(help=HELP)
def lint(context: Context, force: bool = False, json: bool = False) -> None:
    """Check form and types: Python, YAML, Dockerfile."""
    _run(("lint",), force=force, as_json=json)


@task(help=HELP)
def test(context: Context, force: bool = False, json: bool = False) -> None:
    """Run the unit tests."""
    _run(("test",), force=force, as_json=json)


@task(help=HELP)
def scan(context: Context, force: bool = False, json: bool = False) -> None:
    """Look for insecure code, secrets, bad dependencies."""
    _run(("scan",), force=force, as_json=json)
