"""What a run leaves behind, for programs and for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from longshore.errors import StepFailed
from longshore.report import document, page, sources
from longshore.report.document import Change, Document, Failed, Finding, Pod, Probe, Suite
from longshore.report.document import Step as Told
from longshore.steps.graph import Graph, Step
from longshore.steps.scheduler import Fate, Report
from longshore.tasks import reported

JUNIT = '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1" time="1.5"/></testsuites>'
BANDIT = {
    "results": [
        {
            "issue_severity": "HIGH",
            "filename": "a.py",
            "line_number": 3,
            "test_id": "B602",
            "issue_text": "shell",
        }
    ]
}
QUALITY = [
    {
        "severity": "major",
        "location": {"path": "b.py", "positions": {"begin": {"line": 7}}},
        "description": "F401",
    }
]


def step(name: str, *needs: str, group: str = "") -> Step:
    return Step(name=name, title=f"do {name}", run=lambda progress: "", needs=needs, group=group)


def written(folder: Path, failure: StepFailed | None = None) -> Document:
    graph = Graph(
        [
            step("lint", group="lint"),
            step("tests", group="test"),
            step("image", "lint", "tests"),
            step("release", "image"),
        ]
    )
    done = Report()
    for name, outcome, began, ended in (
        ("lint", "ran", 0, 1),
        ("tests", "ran", 0, 4),
        ("image", "failed" if failure else "ran", 4, 6),
    ):
        done.steps[name] = Fate(
            outcome=outcome, started=1000.0 + began, ended=1000.0 + ended, reason="<b>said</b>"
        )
    reported.write(
        folder, graph, done, began=1000.0, exit_code=5 if failure else 0, failure=failure, step="image" if failure else "",
        data={"url": "https://shop.localhost", "digest": "sha256:1", "seconds": 1},
    )  # fmt: skip
    found = document.read(folder)
    assert found
    return found


def test_the_chain_that_decided_how_long_it_took_is_marked(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert [one.name for one in found.steps if one.critical] == ["tests", "image"]
    assert [(one.name, one.began, one.ended) for one in found.steps if one.name == "image"] == [
        ("image", 4.0, 6.0)
    ]


def test_a_step_that_never_began_is_listed_as_such(tmp_path: Path) -> None:
    assert written(tmp_path).steps[-1] == Told(name="release", title="do release", needs=("image",))


def test_a_failed_run_says_where_and_what_to_do(tmp_path: Path) -> None:
    found = written(tmp_path, StepFailed("no room", hint="make some", detail="last line"))
    assert found.failure == Failed(step="image", sentence="no room", hint="make some", detail="last line")
    html = (tmp_path / "index.html").read_text()
    assert "image: no room" in html
    assert "last line" in html


def test_the_page_needs_nothing_else_and_escapes_what_programs_said(tmp_path: Path) -> None:
    written(tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert "&lt;b&gt;said&lt;/b&gt;" in html
    for word in ("<script", "src=", "@import", "url("):
        assert word not in html


def test_findings_tests_and_coverage_are_read_from_what_the_tools_wrote(tmp_path: Path) -> None:
    (tmp_path / "junit-service.xml").write_text(JUNIT)
    (tmp_path / "coverage-service.xml").write_text('<coverage line-rate="0.97"/>')
    (tmp_path / "bandit.json").write_text(json.dumps(BANDIT))
    (tmp_path / "code-quality.json").write_text(json.dumps(QUALITY))
    found = written(tmp_path)
    assert found.suites == (Suite(name="service", tests=3, failed=1, skipped=1, seconds=1.5, covered=0.97),)
    assert found.findings == (
        Finding(tool="bandit", severity="high", file="a.py", line=3, text="B602: shell"),
        Finding(tool="ruff", severity="medium", file="b.py", line=7, text="F401"),
    )


@pytest.mark.parametrize(
    "name", ["junit-x.xml", "coverage-x.xml", "bandit.json", "code-quality.json", "plan.json", "probe.json"]
)
def test_a_broken_file_tells_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<{")
    assert (sources.suites(tmp_path), sources.findings(tmp_path)) == ([], [])
    assert (sources.plan(tmp_path), sources.probe(tmp_path)) == ([], None)


def test_the_page_shows_a_plan_and_what_the_probe_saw() -> None:
    html = page.render(
        Document(
            command="infra.plan", started="2026-11-25T10:00:00+00:00", seconds=3.0, exit_code=0, cores=2,
            plan=(Change(address="aws_vpc.this", action="replace", why="cidr_block"),),
            probe=Probe(sent=400, failed=0, p50=2.0, p99=9.0),
        )
    )  # fmt: skip
    assert "because of cidr_block" in html
    assert "400 requests during the rollout" in html


def test_the_image_and_its_pods_are_shown(tmp_path: Path) -> None:
    layers = [{"bytes": 28_000_000, "made_by": "COPY . /"}, {"bytes": 500_000, "made_by": ""}]
    (tmp_path / "image.json").write_text(json.dumps({"digest": "sha256:1", "layers": layers}))
    pods = [{"name": "app-1", "node": "node-1", "since": "2026-11-25T10:00:00Z", "restarts": 2}]
    (tmp_path / "pods.json").write_text(json.dumps(pods))
    found = written(tmp_path)
    assert found.image
    assert [layer.bytes for layer in found.image.layers] == [28_000_000, 500_000]
    assert found.pods == (Pod(name="app-1", node="node-1", since="2026-11-25T10:00:00Z", restarts=2),)
    html = (tmp_path / "index.html").read_text()
    assert "28.5 MB in 2 layers" in html
    assert "app-1" in html


def test_the_layers_of_another_image_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "image.json").write_text('{"digest": "sha256:2", "layers": []}')
    assert written(tmp_path).image is None


def test_the_documented_schema_is_the_one_that_is_written() -> None:
    wanted = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text())
    assert json.loads(json.dumps(msgspec.json.schema(Document))) == wanted


@pytest.mark.parametrize(
    ("value", "said"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.2, "12 s"), (200.0, "3 min 20 s")]
)
def test_durations_are_said_as_a_person_would(value: float, said: str) -> None:
    assert page.seconds(value) == said


def test_a_report_of_another_version_is_none(tmp_path: Path) -> None:
    other: dict[str, Any] = {"schema": 0}
    (tmp_path / "report.json").write_text(json.dumps(other))
    assert document.read(tmp_path) is None
