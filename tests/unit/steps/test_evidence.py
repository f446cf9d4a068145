"""Gates read what tools really wrote: tests/data/reports holds reports recorded from real runs, clean ones and others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.errors import GateFailed
from longshore.steps import evidence

REPORTS = Path(__file__).parents[2] / "data" / "reports"
LISTED = "application/pages.py\n"


def report(name: str) -> str:
    return (REPORTS / name).read_text()


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: evidence.tests(report("junit-good.xml")), id="pytest"),
        pytest.param(lambda: evidence.ruff(report("ruff-good.json"), LISTED), id="ruff"),
        pytest.param(lambda: evidence.layout(report("layout-good.txt")), id="layout"),
        pytest.param(lambda: evidence.types(report("mypy-good.txt")), id="mypy"),
        pytest.param(lambda: evidence.yaml("", LISTED), id="yamllint"),
        pytest.param(lambda: evidence.dockerfile("[]"), id="hadolint"),
        pytest.param(lambda: evidence.bandit(report("bandit-good.json")), id="bandit"),
    ],
)
def test_a_clean_report_says_what_was_examined(read: Callable[[], str]) -> None:
    assert read()


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: evidence.tests(report("junit-bad.xml")), id="a failing test"),
        pytest.param(lambda: evidence.tests(report("junit-empty.xml")), id="no test at all"),
        pytest.param(lambda: evidence.tests(""), id="no report of tests"),
        pytest.param(lambda: evidence.ruff(report("ruff-bad.json"), LISTED), id="ruff finds"),
        pytest.param(lambda: evidence.ruff(report("ruff-good.json"), ""), id="ruff examined nothing"),
        pytest.param(lambda: evidence.layout(report("layout-bad.txt")), id="layout differs"),
        pytest.param(lambda: evidence.layout(report("layout-broken.txt")), id="a file that cannot be read"),
        pytest.param(lambda: evidence.types(report("mypy-bad.txt")), id="mypy finds"),
        pytest.param(lambda: evidence.types(""), id="mypy says nothing"),
        pytest.param(lambda: evidence.yaml(report("yamllint-bad.txt"), LISTED), id="yamllint finds"),
        pytest.param(lambda: evidence.yaml("", ""), id="yamllint examined nothing"),
        pytest.param(lambda: evidence.dockerfile(report("hadolint-bad.json")), id="hadolint finds"),
        pytest.param(lambda: evidence.dockerfile(""), id="hadolint says nothing"),
        pytest.param(lambda: evidence.bandit(report("bandit-bad.json")), id="bandit finds"),
        pytest.param(lambda: evidence.bandit(report("bandit-nowhere.json")), id="bandit examined nothing"),
        pytest.param(lambda: evidence.bandit(""), id="bandit left no report"),
        pytest.param(lambda: evidence.secrets("{}", "planted.txt", 5), id="the planted key was missed"),
        pytest.param(lambda: evidence.withdrawn(report("pip-bad.json")), id="a withdrawn release"),
        pytest.param(lambda: evidence.advisories(report("audit-bad.json")), id="a known vulnerability"),
        pytest.param(lambda: evidence.manifest("", "1.35"), id="an empty manifest"),
    ],
)
def test_anything_else_keeps_the_gate_closed(read: Callable[[], object]) -> None:
    with pytest.raises(GateFailed):
        read()


def test_an_advisory_service_that_does_not_answer_is_not_a_clean_report() -> None:
    examined, unchecked = evidence.advisories(report("audit-unreachable.json"))
    assert not examined
    assert unchecked
    examined, unchecked = evidence.advisories(report("audit-good.json"))
    assert examined
    assert not unchecked


def test_releases_that_nobody_withdrew_are_counted() -> None:
    examined, unchecked = evidence.withdrawn(report("pip-good.json"))
    assert examined
    assert not unchecked


def test_a_file_with_two_ugly_places_counts_once() -> None:
    said = report("layout-bad.txt")
    with pytest.raises(GateFailed, match="1 file not laid out"):
        evidence.layout(said + said)
