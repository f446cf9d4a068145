"""The report of the last run that did something."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks.session import Opened


@task(help={"json": "print report.json instead of opening the page"})
def report(context: Context, json: bool = False) -> None:
    """Open the report of the last run that did something."""
    with Opened(as_json=json) as run:
        from longshore.errors import Precondition
        from longshore.report import document

        folder = run.settings.work / "report"
        found = document.read(folder)
        if found is None:
            raise Precondition("there is no report yet", hint="`invoke check` makes one")
        if json:
            import msgspec

            run.data(**msgspec.to_builtins(found))
            return
        page = folder / "index.html"
        run.console.line(str(page))
        if sys.stdout.isatty():
            import webbrowser

            webbrowser.open(page.as_uri())
