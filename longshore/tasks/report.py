"""The report of the last run that did something."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import Precondition
from longshore.tasks.session import Session


@task(help={"json": "print report.json instead of opening the page"})
def report(context: Context, json: bool = False) -> None:
    """Open the report of the last run that did something."""
    with Session(as_json=json) as session:
        import webbrowser

        import msgspec

        from longshore.report import document

        folder = session.settings.work / "report"
        contents = document.read(folder)
        if contents is None:
            raise Precondition("there is no report yet", hint="`invoke check` makes one")
        if json:
            session.data(**msgspec.to_builtins(contents))
            return
        page = folder / "index.html"
        session.console.line(str(page))
        if sys.stdout.isatty():
            webbrowser.open(page.as_uri())
