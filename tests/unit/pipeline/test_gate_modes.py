"""The pipelines of a project whose gates are its own, or off."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from longshore.pipeline import github, gitlab
from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Job
from longshore.settings.gates import Gate
from longshore.settings.model import Settings
from tests.unit.pipeline.given import settings

SETTINGS = settings()
REASON = "the platform team's own scanner looks: at all of it"


def with_gates(**gates: Gate) -> Settings:
    return replace(SETTINGS, gates=replace(SETTINGS.gates, **gates))


def by_name(settings: Settings) -> dict[str, Job]:
    return {job.name: job for job in jobs(settings)}


@pytest.mark.parametrize("off", [("scan",), ("test",), ("lint", "test", "scan")])
def test_what_is_off_has_no_job_and_no_job_needs_it(off: tuple[str, ...]) -> None:
    chosen = with_gates(**{group: Gate(off=REASON) for group in off})
    found = by_name(chosen)
    gone = {{"test": "tests"}.get(group, group) for group in off}
    assert not gone & set(found)
    assert {need for job in found.values() for need in job.needs} <= set(found)
    for text in (gitlab.render(chosen), github.render(chosen)):
        for name in gone:
            assert f"#   {name:<20} off: {REASON}\n" in text
        here = yaml.safe_load(text)
        everything: dict[str, Any] = here.get("jobs", here)
        assert not gone & set(everything)


@pytest.mark.parametrize(("group", "name"), [("lint", "lint"), ("test", "tests"), ("scan", "scan")])
def test_their_gate_is_the_same_job_and_keeps_only_what_it_writes(group: str, name: str) -> None:
    job = by_name(with_gates(**{group: Gate(run=["just", group])}))[name]
    assert (job.script, job.kept, job.coverage) == ((f"nox -s {name}",), None, "")
    with_reports = with_gates(**{group: Gate(run=["just", group], reports=["out/a.xml", "b.json"])})
    kept = by_name(with_reports)[name].kept
    assert kept is not None
    assert [artifact.paths for artifact in kept.artifacts] == [("out/a.xml", "b.json")]
    for text in (gitlab.render(with_reports), github.render(with_reports)):
        assert "out/a.xml" in text


def test_what_is_ours_is_as_it_was() -> None:
    assert with_gates() == SETTINGS
    assert " off: " not in gitlab.render(SETTINGS) + github.render(SETTINGS)


@pytest.mark.parametrize("name", ["null", "1.5", "true", "2026-01-01", "off", "0x1f", "1e3", ".inf"])
def test_a_report_is_a_path_to_both_providers_whatever_it_is_called(name: str) -> None:
    chosen = with_gates(lint=Gate(run=["just", "lint"], reports=[name, "out/a.xml"]))
    assert yaml.safe_load(gitlab.render(chosen))["lint"]["artifacts"]["paths"] == [name, "out/a.xml"]
    steps = yaml.safe_load(github.render(chosen))["jobs"]["lint"]["steps"]
    assert [step["with"]["path"].split() for step in steps if "path" in step.get("with", {})] == [[name, "out/a.xml"]]
