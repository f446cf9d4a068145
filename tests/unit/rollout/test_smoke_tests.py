"""The smoke tests of a release: run from its sources, told what to ask, believed by their report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longshore import AGENT
from longshore.errors import DeadlineExceeded
from longshore.process.command import Command
from longshore.process.runner import Result
from longshore.rollout import smoke
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import recorded

REPORTS = Path(__file__).parents[2] / "data" / "reports"
PASSED, FAILED, EMPTY = ((REPORTS / f"junit-{name}.xml").read_text() for name in ("good", "bad", "empty"))


def run(kubernetes: Kubernetes, kubectl: Kubectl, folder: Path) -> str:
    return smoke.run(site_of(kubernetes, kubectl, folder), recorded(2, revision="two"))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "sources" / "tests" / "smoke").mkdir(parents=True)
    return tmp_path / "sources"


def test_sources_without_smoke_tests_have_none_to_fail(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    assert run(kubernetes, kubectl, tmp_path) == ""
    assert kubectl.ran == []


def test_smoke_tests_are_those_of_the_sources_and_told_what_to_ask(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, sources: Path
) -> None:
    kubectl.junit = PASSED
    assert run(kubernetes, kubectl, tmp_path) == ""
    (command,) = kubectl.ran
    assert command.cwd == sources
    assert command.env == {
        "LONGSHORE_URL": kubernetes.url,
        "LONGSHORE_REVISION": "two",
        "LONGSHORE_DIGEST": "sha256:two",
        "LONGSHORE_CA": str(kubernetes.authority),
        "LONGSHORE_USER_AGENT": AGENT,
    }


def test_the_test_that_failed_is_named(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, sources: Path) -> None:
    kubectl.junit = FAILED
    failure = "the smoke tests fail: 1 of 4 tests failed: t.test_bad::test_fails assert 1 == 2"
    assert run(kubernetes, kubectl, tmp_path) == failure


@pytest.mark.parametrize("junit", ["", EMPTY, "no XML"])
def test_smoke_tests_that_tested_nothing_have_failed(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, sources: Path, junit: str
) -> None:
    kubectl.junit = junit
    assert run(kubernetes, kubectl, tmp_path).startswith("the smoke tests fail: ")


def test_the_report_of_an_earlier_run_counts_for_nothing(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl.junit = PASSED
    assert run(kubernetes, kubectl, tmp_path) == ""

    def hangs(command: Command, **_: Any) -> Result:
        raise DeadlineExceeded("python was ended after 300 s")

    monkeypatch.setattr(kubectl, "run", hangs)
    assert run(kubernetes, kubectl, tmp_path) == "the smoke tests fail: python was ended after 300 s"
    assert not (tmp_path / "work" / "report" / "smoke.xml").exists()
