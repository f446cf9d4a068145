"""The report of a run as Markdown, for the page of a job and for a note on a merge request.

What others wrote stands in code spans: nothing in it is markup, a link or a mention.
"""

from __future__ import annotations

from collections.abc import Iterator

from longshore.report.document import SIGNS, Document

MOST = 40  # rows of one list; a note is read, not searched


def render(run: Document) -> str:
    """Return RUN as Markdown, which ends with a line break."""
    return "\n".join(_lines(run)) + "\n"


def code(text: str) -> str:
    """Return TEXT, which may be anybody's, as one span of code."""
    return f"`` {' '.join(text.split()).replace('`', chr(0x2018))} ``" if text.strip() else ""


def _lines(run: Document) -> Iterator[str]:
    mark = "✘" if run.exit_code else "✔"
    yield f"### {mark} {code(f'invoke {run.command}')} {run.seconds:.0f} s"
    if run.failure:
        where = f"{code(run.failure.step)}: " if run.failure.step else ""
        yield from ("", f"{where}{code(run.failure.sentence)} (exit code {run.exit_code})")
        if run.failure.hint:
            yield from ("", f"Next: {code(run.failure.hint)}")
    for name, value in run.facts.items():
        yield f"- {name}: {code(value)}"
    for group, why in run.off.items():
        yield f"- {group} is off: {code(why)}"
    if run.plan:
        yield from ("", f"**{len(run.plan)} changes of the infrastructure**", "")
        for change in run.plan[:MOST]:
            why = f" because of {code(change.why)}" if change.why else ""
            details = f": {code('; '.join(change.details))}" if change.details else ""
            yield f"- {SIGNS.get(change.action, '?')} {change.action} {code(change.address)}{why}{details}"
        yield from _more(len(run.plan))
    for suite in run.suites:
        covered = f", {suite.covered:.0%} covered" if suite.covered is not None else ""
        yield f"- {code(suite.name)}: {suite.tests} tests, {suite.failed} failed, {suite.skipped} skipped{covered}"
    if run.findings:
        yield from ("", f"**{len(run.findings)} findings**", "")
        for finding in run.findings[:MOST]:
            yield f"- {finding.severity}: {code(f'{finding.file}:{finding.line}')} {code(finding.text)}"
        yield from _more(len(run.findings))
    begun = [step for step in run.steps if step.outcome in ("ran", "failed", "stopped")]
    if begun:
        yield from ("", "| step | outcome | seconds |", "|---|---|---|")
        for step in begun:
            yield f"| {step.name} | {step.outcome} | {step.ended - step.began:.1f} |"


def _more(count: int) -> Iterator[str]:
    if count > MOST:
        yield f"- … and {count - MOST} more"
