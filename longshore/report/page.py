"""The report as one self-contained HTML file: no scripts, fonts or images, and a policy that forbids them.

The policy allows one style sheet, by its hash, and no style attributes, so positions in the timeline are rules in it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from longshore.report.document import Document, Step

UNITS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)  # seconds between ticks of the timeline
BEGUN = ("ran", "failed", "stopped")


@functools.cache
def templates() -> tuple[Template, Template]:
    """Return the page and its style sheet, which take longer to read than to fill in."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seconds"] = seconds
    environment.filters["megabytes"] = lambda count: f"{count / 1e6:.1f} MB"
    return environment.get_template("page.html"), environment.get_template("page.css")


def render(document: Document) -> str:
    """Return DOCUMENT as HTML."""
    page, sheet = templates()
    begun = sorted((step for step in document.steps if step.outcome in BEGUN), key=lambda step: step.began)
    whole = max([document.seconds, *(step.ended for step in begun)]) or 1.0
    timeline = {"begun": begun, "whole": whole, "ticks": _ticks(whole)}
    style = sheet.render(timeline)
    return page.render(
        timeline,
        run=document,
        rest=[step for step in document.steps if step.outcome not in BEGUN],
        waited=lambda step: _waited(step, document),
        style=Markup(style),  # noqa: S704 - numbers are all that is filled in  # nosec B704
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def seconds(value: float) -> str:
    """Return a duration for people: `0.4 s`, `12 s`, `3 min 20 s`."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _ticks(whole: float) -> list[float]:
    """Return at most nine round times from 0 to WHOLE."""
    unit = next((unit for unit in UNITS if whole / unit <= 8), whole / 8)
    return [unit * count for count in range(int(whole / unit) + 1)]


def _waited(step: Step, document: Document) -> str:
    """Return the dependency that STEP waited for last, if any of them ran."""
    ended = {need.name: need.ended for need in document.steps if need.outcome in BEGUN and need.name in step.needs}
    return max(ended, key=ended.__getitem__, default="")
