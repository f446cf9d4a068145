"""The note of a run, for a job's page and a merge request."""

from __future__ import annotations

import re
from pathlib import Path

from longshore.process.redaction import Redactor
from longshore.report import markdown, saved
from longshore.report.document import Change, Document, Failed, Finding, Step, Suite

HOSTILE = "`x` <img src=x> [link](javascript:x) @everybody\n# heading | cell"


def test_nothing_that_others_wrote_is_markup_in_the_note() -> None:
    run = Document(
        command="infra.plan",
        started="",
        seconds=1.0,
        exit_code=5,
        cores=2,
        facts={"url": HOSTILE},
        failure=Failed(step=HOSTILE, sentence=HOSTILE, hint=HOSTILE, detail=HOSTILE),
        plan=(Change(address=HOSTILE, action="update", details=(HOSTILE,), why=HOSTILE),),
        findings=(Finding(tool="x", severity="high", file=HOSTILE, line=1, text=HOSTILE),),
        suites=(Suite(name=HOSTILE, tests=1, failed=0, skipped=0, seconds=1.0),),
    )
    text = markdown.render(run)
    outside = re.sub(r"`` [^`\n]* ``", "", text)
    for part in ("<img", "javascript", "@everybody", "heading", "cell", "`"):
        assert part not in outside, part
    assert not [line for line in text.splitlines() if line.startswith("# ")]


def test_the_note_says_what_a_plan_changes_and_how_the_run_ended(tmp_path: Path) -> None:
    change = Change(address="aws_lb.this", action="replace", details=("name: a → b",), why="name")
    many = tuple(Change(address=f"aws_x.y[{number}]", action="create") for number in range(60))
    steps = (Step(name="plan", title="plan", outcome="ran", began=1.0, ended=3.5),)
    run = Document(
        command="infra.plan", started="", seconds=4.2, exit_code=0, cores=2, plan=(change, *many), steps=steps
    )
    summary = tmp_path / "summary"
    summary.write_text("from an earlier step\n")
    saved.save(tmp_path / "report", run, Redactor(), summary)
    text = summary.read_text()
    assert text.startswith("from an earlier step\n### ✔ `` invoke infra.plan `` 4 s\n")
    assert "**61 changes of the infrastructure**" in text
    assert "- ± replace `` aws_lb.this `` because of `` name ``: `` name: a → b ``" in text
    assert "- … and 21 more" in text
    assert "| plan | ran | 2.5 |" in text
    assert text.endswith((tmp_path / "report" / "report.md").read_text())
