"""Runs of four steps, with what their tools left, and the reports of them."""

from __future__ import annotations

from pathlib import Path

from longshore.errors import StepFailed
from longshore.graph.scheduler import Fate, Report
from longshore.graph.steps import Graph, Step
from longshore.process.redaction import Redactor
from longshore.report import document
from longshore.report.document import Document
from longshore.tasks import reported

JUNIT = '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1" time="1.5"/></testsuites>'
BANDIT = {
    "results": [
        {"issue_severity": "HIGH", "filename": "a.py", "line_number": 3, "test_id": "B602", "issue_text": "shell"}
    ]
}
QUALITY = [
    {"severity": "major", "location": {"path": "b.py", "positions": {"begin": {"line": 7}}}, "description": "F401"}
]


def step(name: str, *needs: str, reports: tuple[str, ...] = ()) -> Step:
    return Step(name=name, title=f"do {name}", run=lambda progress: "", needs=needs, reports=reports)


REPORTS = tuple(f".longshore/report/{name}" for name in ("bandit.json", "code-quality.json", "junit-service.xml"))


def written(
    folder: Path, failure: StepFailed | None = None, *, reports: tuple[str, ...] = REPORTS, **off: str
) -> Document:
    graph = Graph(
        [
            step("lint", reports=reports[:2]),
            step("tests", reports=reports[2:]),
            step("image", "lint", "tests"),
            step("release", "image"),
        ],
        off,
    )
    done = Report()
    for name, outcome, began, ended in (
        ("lint", "ran", 0, 1),
        ("tests", "ran", 0, 4),
        ("image", "failed" if failure else "ran", 4, 6),
    ):
        done.steps[name] = Fate(outcome=outcome, started=1000.0 + began, ended=1000.0 + ended, reason="<b>text</b>")
    reported.write(
        folder,
        graph,
        done,
        Redactor(),
        began=1000.0,
        exit_code=5 if failure else 0,
        failure=failure,
        step="image" if failure else "",
        data={"url": "https://shop.localhost", "digest": "sha256:1", "seconds": 1},
    )
    report = document.read(folder)
    assert report
    return report
