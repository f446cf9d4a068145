"""The report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from pathlib import Path

from longshore.report.document import Document, Step

UNITS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    3600,
)  # seconds between two marks of the timeline
BEGUN = ("ran", "failed", "stopped")


def render(document: Document) -> str:
    """Return the page of DOCUMENT."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters["seconds"] = seconds
    environment.filters["megabytes"] = lambda count: f"{count / 1e6:.1f} MB"
    begun = sorted((step for step in document.steps if step.outcome in BEGUN), key=lambda step: step.began)
    whole = max([document.seconds, *(step.ended for step in begun)]) or 1.0
    return environment.get_template("page.html").render(
        run=document, begun=begun, rest=[step for step in document.steps if step.outcome not in BEGUN], whole=whole,
        ticks=_ticks(whole), waited=lambda step: _waited(step, document),
    )  # fmt: skip


def seconds(value: float) -> str:
    """Return a duration as a person says it: `0.4 s`, `12 s`, `3 min 20 s`."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _ticks(whole: float) -> list[float]:
    """Return a few round moments between 0 and WHOLE."""
    unit = next((unit for unit in UNITS if whole / unit <= 8), whole / 8)
    return [unit * count for count in range(int(whole / unit) + 1)]


def _waited(step: Step, document: Document) -> str:
    """Return which step it waited for last, if any of those that ran."""
    ended = {one.name: one.ended for one in document.steps if one.outcome in BEGUN and one.name in step.needs}
    return max(ended, key=ended.__getitem__, default="")
