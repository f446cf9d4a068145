"""The report of a run, for programs and for people."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from longshore.errors import StepFailed
from longshore.process.command import Secret
from longshore.process.redaction import Redactor
from longshore.report import document, page, saved, sources
from longshore.report.document import Change, Document, Failed, Finding, Image, Layer, Pod, Probe, Suite
from longshore.report.document import Step as ReportedStep
from tests.unit.report.runs import BANDIT, JUNIT, QUALITY, written


def test_the_critical_path_is_marked(tmp_path: Path) -> None:
    report = written(tmp_path)
    assert [step.name for step in report.steps if step.critical] == ["tests", "image"]
    assert [(step.began, step.ended) for step in report.steps if step.name == "image"] == [(4.0, 6.0)]


def test_a_step_that_never_started_is_listed_as_such(tmp_path: Path) -> None:
    assert written(tmp_path).steps[-1] == ReportedStep(name="release", title="do release", needs=("image",))


def test_a_failed_run_names_the_step_the_cause_and_the_hint(tmp_path: Path) -> None:
    report = written(tmp_path, StepFailed("no room", hint="make some", detail="last line"))
    assert report.failure == Failed(step="image", sentence="no room", hint="make some", detail="last line")
    html = (tmp_path / "index.html").read_text()
    assert "image: no room" in html
    assert "last line" in html


def test_the_page_is_self_contained_and_escapes_output(tmp_path: Path) -> None:
    written(tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert "&lt;b&gt;text&lt;/b&gt;" in html
    for word in ("<script", "src=", "@import", "url("):
        assert word not in html


class Page(HTMLParser):
    """What a browser would take for markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.style = self.policy = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = str(dict(attrs)["content"])

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["style"]:
            self.style += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self.tags.append("")


HOSTILE = """</style></title><script>alert(1)</script><img src=x onerror=alert(1)>"'><style>*{}</style>{{ 7 * 7 }}"""


def hostile() -> Document:
    """A report in which every text is HOSTILE."""
    failed = Failed(step=HOSTILE, sentence=HOSTILE, hint=HOSTILE, detail=HOSTILE)
    done = {"needs": (HOSTILE,), "reason": HOSTILE, "log": f"javascript:{HOSTILE}"}
    return Document(
        command=HOSTILE,
        started=HOSTILE,
        seconds=3.0,
        exit_code=5,
        cores=2,
        facts={"url": f"https://{HOSTILE}", "revision": f"javascript:{HOSTILE}"},
        failure=failed,
        steps=(
            ReportedStep(name=HOSTILE, title=HOSTILE, outcome="ran", began=0.5, ended=2.0, critical=True, **done),
            ReportedStep(name="b", title=HOSTILE, outcome=HOSTILE, **done),
        ),
        findings=(Finding(tool=HOSTILE, severity=HOSTILE, file=HOSTILE, line=1, text=HOSTILE),),
        suites=(Suite(name=HOSTILE, tests=1, failed=1, skipped=0, seconds=1.0),),
        plan=(Change(address=HOSTILE, action=HOSTILE, details=(HOSTILE,), why=HOSTILE),),
        image=Image(digest=HOSTILE, layers=(Layer(bytes=1, made_by=HOSTILE),)),
        pods=(Pod(name=HOSTILE, node=HOSTILE, since=HOSTILE, restarts=1),),
    )


def test_hostile_names_are_text_on_the_page() -> None:
    shown = Page(page.render(hostile()))
    assert not set(shown.tags) & {"script", "img", "iframe", "object", "svg", "link", "base", "form"}
    assert shown.tags.count("style") == 1
    assert not [name for name, _ in shown.attributes if name.startswith("on") or name == "style"]
    assert not [value for name, value in shown.attributes if name == "href" and value.lower().startswith("javascript:")]


def test_the_page_forbids_everything_but_its_own_style_sheet() -> None:
    shown = Page(page.render(hostile()))
    digest = base64.b64encode(hashlib.sha256(shown.style.encode()).digest()).decode()
    assert shown.policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "left: 16.67%; width: 50.00%" in shown.style


def test_a_saved_report_is_private_and_holds_no_secret_and_no_control_character(tmp_path: Path) -> None:
    folder, secret = tmp_path / "report", "correct-horse-battery"
    (folder / "evidence").mkdir(parents=True)
    (folder / "junit-service.xml").write_text(f"<testsuite><system-out>{secret}</system-out></testsuite>")
    (folder / "evidence" / "pod.log").write_text(f"crash {secret}")
    failure = Failed(
        step="a", sentence=f"failed: {secret}", hint="", detail=f"\x1b[2J\u202e{secret}\n{'x' * 5_204_000}"
    )
    made = Document(command="deploy", started="", seconds=1.0, exit_code=5, cores=2, failure=failure)
    saved.save(folder, made, Redactor([Secret(secret)]))
    files = [path for path in folder.rglob("*") if path.is_file()]
    written_files = {"report.json", "index.html", "report.md", "findings.sarif"}
    assert {path.name for path in files} == written_files | {"junit-service.xml", "pod.log"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [path for path in files if secret in path.read_text()]
    report = document.read(folder)
    assert report
    assert report.failure
    assert report.failure.sentence == "failed: [redacted]"
    assert report.failure.detail == f"␛[2J<U+202E>[redacted]\n{'x' * 4000}… 5.2 MB more"


def test_findings_tests_and_coverage_are_read_from_the_tools_reports(tmp_path: Path) -> None:
    (tmp_path / "junit-service.xml").write_text(JUNIT)
    (tmp_path / "coverage-service.xml").write_text('<coverage line-rate="0.97"/>')
    (tmp_path / "bandit.json").write_text(json.dumps(BANDIT))
    (tmp_path / "code-quality.json").write_text(json.dumps(QUALITY))
    report = written(tmp_path)
    assert report.suites == (Suite(name="service", tests=3, failed=1, skipped=1, seconds=1.5, covered=0.97),)
    assert report.findings == (
        Finding(tool="bandit", severity="high", file="a.py", line=3, text="B602: shell"),
        Finding(tool="ruff", severity="medium", file="b.py", line=7, text="F401"),
    )


def test_what_no_step_of_the_run_writes_is_no_result_of_it(tmp_path: Path) -> None:
    (tmp_path / "junit-service.xml").write_text(JUNIT)
    (tmp_path / "bandit.json").write_text(json.dumps(BANDIT))
    report = written(tmp_path, reports=())
    assert (report.suites, report.findings) == ((), ())


def test_what_is_off_is_said_with_its_reason(tmp_path: Path) -> None:
    assert written(tmp_path, scan="they <look> themselves").off == {"scan": "they <look> themselves"}
    assert "scan is off: they &lt;look&gt; themselves" in (tmp_path / "index.html").read_text()
    assert "- scan is off: `` they <look> themselves ``\n" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    "name", ["junit-x.xml", "coverage-x.xml", "bandit.json", "code-quality.json", "plan.json", "probe.json"]
)
def test_a_broken_file_counts_as_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<{")
    assert (sources.suites(tmp_path, [name]), sources.findings(tmp_path, [name])) == ([], [])
    assert (sources.plan(tmp_path), sources.probe(tmp_path)) == ([], None)


def test_the_page_shows_a_plan_and_the_probes_result() -> None:
    html = page.render(
        Document(
            command="infra.plan",
            started="2026-11-25T10:00:00+00:00",
            seconds=3.0,
            exit_code=0,
            cores=2,
            plan=(Change(address="aws_vpc.this", action="replace", why="cidr_block"),),
            probe=Probe(sent=400, failed=0, p50=2.0, p99=9.0),
        )
    )
    assert "because of cidr_block" in html
    assert "400 requests during the rollout" in html


def test_the_image_and_its_pods_are_shown(tmp_path: Path) -> None:
    layers = [{"bytes": 28_000_000, "made_by": "COPY . /"}, {"bytes": 500_000, "made_by": ""}]
    (tmp_path / "image.json").write_text(json.dumps({"digest": "sha256:1", "layers": layers}))
    pods = [{"name": "app-1", "node": "node-1", "since": "2026-11-25T10:00:00Z", "restarts": 2}]
    (tmp_path / "pods.json").write_text(json.dumps(pods))
    report = written(tmp_path)
    assert report.image
    assert [layer.bytes for layer in report.image.layers] == [28_000_000, 500_000]
    assert report.pods == (Pod(name="app-1", node="node-1", since="2026-11-25T10:00:00Z", restarts=2),)
    html = (tmp_path / "index.html").read_text()
    assert "28.5 MB in 2 layers" in html
    assert "app-1" in html


def test_the_layers_of_another_image_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "image.json").write_text('{"digest": "sha256:2", "layers": []}')
    assert written(tmp_path).image is None


def test_the_documented_schema_is_the_one_that_is_written() -> None:
    documented = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text())
    assert json.loads(json.dumps(msgspec.json.schema(Document))) == documented


@pytest.mark.parametrize(("value", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.2, "12 s"), (200.0, "3 min 20 s")])
def test_durations_are_formatted_for_people(value: float, text: str) -> None:
    assert page.seconds(value) == text


def test_a_report_of_another_version_is_none(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": 0}')
    assert document.read(tmp_path) is None
