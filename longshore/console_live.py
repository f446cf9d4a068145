"""The live view of a terminal: what runs now. Rich is imported here alone, when a run takes long enough to need it."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

Row = tuple[str, str, str, int | None, int | None, float]  # name, text, count, done, total, seconds so far

_SPINNER = Spinner("dots", style="cyan")


def start(stream: TextIO) -> Live:
    """Begin the view at the bottom of the terminal behind STREAM."""
    live = Live(
        console=Console(file=stream, highlight=False),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    live.start()
    return live


def render(rows: list[Row]) -> Table:
    """Lay the running steps out: a spinner, the name, the time so far, a bar where there is a fraction, the count, the text."""
    table = Table.grid(padding=(0, 1), expand=True)
    for width in (1, 17, 6, 10):
        table.add_column(width=width, min_width=width, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)  # takes what is left, and is cut first
    for name, text, count, done, total, seconds in rows:
        bar = ProgressBar(total=total, completed=done, width=10) if done is not None and total else ""
        table.add_row(_SPINNER, name, f"{seconds:4.0f} s", bar, f"{count}: {text}" if count else text)
    return table
