"""The live view of running steps on a terminal. Only this module imports rich, and only once a run takes long enough.

Importing it takes longer than most runs that have nothing to do.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

# name, text, count, done, total, seconds so far
Row = tuple[str, str, str, int | None, int | None, float]


def start(stream: TextIO) -> Live:
    """Start the view at the bottom of the terminal that STREAM writes to."""
    from rich.console import Console
    from rich.live import Live

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
    """Return a table of the running steps: spinner, name, time so far, a bar if the step counts, count and text."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1), expand=True)
    for width in (1, 17, 6, 10):
        table.add_column(width=width, min_width=width, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)  # takes the remaining width, and is cut first
    for name, text, count, done, total, seconds in rows:
        bar = ProgressBar(total=total, completed=done, width=10) if done is not None and total else ""
        # As Text, since brackets in a plain string are markup.
        described = Text(f"{count}: {text}" if count else text)
        table.add_row(_spinner(), Text(name), f"{seconds:4.0f} s", bar, described)
    return table


@functools.cache
def _spinner() -> Any:
    """Return the one spinner of all rows, which turns as long as it is the same."""
    from rich.spinner import Spinner

    return Spinner("dots", style="cyan")
