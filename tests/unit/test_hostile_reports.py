"""Whatever tools leave as reports, it ends with a report of ours, or with one of our own failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.errors import GateFailed
from longshore.gates import reports
from longshore.report import document, page, sources
from tests.unit.hostile import BYTES, few, files, folder

REPORTS = Path(__file__).parents[1] / "data" / "reports"
WRITTEN: dict[str, Any] = {
    "plan.json": [{"address": "a", "action": "create", "details": ["x"], "why": ""}],
    "image.json": {"digest": "sha256:1", "layers": [{"bytes": 3, "made_by": "RUN"}]},
    "pods.json": [{"name": "p", "node": "n", "since": "2026-01-01T00:00:00Z", "restarts": 0}],
    "probe.json": {"sent": 3, "failed": 0, "p50": 1.0, "p99": None},
    "bandit.json": json.loads((REPORTS / "bandit-bad.json").read_text()),
    "code-quality.json": json.loads((REPORTS / "ruff-bad.json").read_text()),
    "junit-a.xml": None,
    "coverage-a.xml": None,
}


@few
@given(st.data())
def test_what_the_tools_left_for_the_report(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(WRITTEN)))
    xml = st.builds(
        lambda text: text.encode(),
        st.from_regex(
            r'<(testsuites|coverage)( line-rate="[^"<&]{0,5}")?>'
            r'(<testsuite( tests="[^"<&]{0,9}")?( time="[^"<&]{0,4}")?/>)?</\1>',
            fullmatch=True,
        ),
    )
    content = data.draw(files(WRITTEN[name]) if WRITTEN[name] else xml | BYTES)
    with folder() as work:
        (work / name).write_bytes(content)
        whole = document.Document(
            command="deploy",
            started="2026-01-01T00:00:00Z",
            seconds=1.0,
            exit_code=0,
            cores=1,
            findings=tuple(sources.findings(work, WRITTEN)),
            suites=tuple(sources.suites(work, WRITTEN)),
            plan=tuple(sources.plan(work)),
            image=sources.image(work, "sha256:1"),
            pods=tuple(sources.pods(work)),
            probe=sources.probe(work),
        )
        page.render(whole)


@few
@given(
    files(
        {
            "command": "deploy",
            "started": "2026",
            "seconds": 1.0,
            "exit_code": 0,
            "cores": 1,
            "steps": [{"name": "a", "title": "b"}],
        }
    )
)
def test_the_report_of_the_last_run(content: bytes) -> None:
    with folder() as work:
        (work / "report.json").write_bytes(content)
        if read := document.read(work):
            page.render(read)


READERS: list[tuple[Callable[[str], object], str]] = [
    (lambda text: reports.ruff(text, "a.py"), "ruff-bad.json"),
    (reports.dockerfile, "hadolint-bad.json"),
    (reports.bandit, "bandit-good.json"),
    (reports.bandit, "bandit-bad.json"),
    (lambda text: reports.secrets([text], "planted.txt", 5), "secrets-bad.json"),
    (reports.withdrawn, "pip-bad.json"),
    (reports.advisories, "audit-bad.json"),
    (reports.advisories, "audit-unreachable.json"),
]


@pytest.mark.parametrize(("read", "recorded"), READERS, ids=lambda value: value if isinstance(value, str) else "")
@given(data=st.data())
@few
def test_the_reports_of_the_gates(read: Callable[[str], object], recorded: str, data: st.DataObject) -> None:
    content = data.draw(files(json.loads((REPORTS / recorded).read_text())))
    with suppress(GateFailed):
        read(content.decode(errors="replace"))


@few
@given(
    st.text(max_size=60)
    | st.from_regex(
        r"<testsuites>(<testsuite( (tests|failures|errors|skipped)=\"[^\"<&]{0,9}\")?/>)?</testsuites>", fullmatch=True
    )
)
def test_junit_reports(text: str) -> None:
    with suppress(GateFailed):
        reports.tests(text)
