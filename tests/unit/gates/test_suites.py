"""Which suites there are, and where their tests lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore.gates import suites
from longshore.gates.run import Gates
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.settings.load import load
from longshore.snapshot.snapshot import Snapshot
from longshore.tasks import catalogue
from tests.unit.sources import written

SETTINGS = (
    '[project]\nname = "shop"\n[application]\npath = "backend"\n[environments.blue]\n[gates]\nvirtualenv = "ours"\n'
)


def paths(folder: Path, sources: Snapshot) -> list[str]:
    (suite,) = suites.located(load(folder, {}).gates, sources).values()
    return suite.paths


@pytest.mark.parametrize("folder", ["tests/unit", "tests", "test", "backend/tests"])
def test_tests_are_where_they_usually_are(tmp_path: Path, folder: str) -> None:
    others = dict.fromkeys(("tests/smoke/test_release.py", "tests/conftest.py", "test/helpers.py"), "")
    sources = written(tmp_path, {"longshore.toml": SETTINGS})
    assert paths(tmp_path, sources) == ["tests/unit"], "which the gate says are not there"
    assert paths(tmp_path, written(tmp_path, others)) == ["tests/unit"], "those of a release are none of them"
    assert paths(tmp_path, written(tmp_path, {f"{folder}/more/shop_test.py": ""})) == [folder]


def test_an_application_at_the_top_has_its_tests_below_it(tmp_path: Path) -> None:
    at_the_top = SETTINGS.replace('"backend"', '"."')
    assert paths(tmp_path, written(tmp_path, {"longshore.toml": at_the_top, "tests/test_a.py": ""})) == ["tests"]


def test_tests_that_the_runs_sources_lack_are_not_run(tmp_path: Path) -> None:
    """They may be those of another commit, ignored by git, or written since the run began."""
    taken = written(tmp_path, {"longshore.toml": SETTINGS, "backend/app.py": "", "tests/test_shop.py": ""})
    (tmp_path / "tests" / "unit").mkdir()
    (tmp_path / "tests" / "unit" / "test_later.py").touch()
    asked: list[str] = []

    class Asking(Runner):
        def run(self, command: Command, **_: Any) -> Result:
            asked.extend(command.argv)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        Gates(load(tmp_path, {}), Asking({}), lambda: taken).suite("unit", lambda _: None)
    assert (asked[-1], "--ignore=tests/smoke" in asked) == ("tests", True)
    reads = catalogue.gates(load(tmp_path, {}), Runner({}), lambda: taken).steps["test-unit"].reads
    assert reads is not None
    assert reads.settings["gates.tests.unit.paths"] == ["tests"]


def test_tests_that_git_has_and_the_disk_has_no_more_are_looked_for(tmp_path: Path) -> None:
    sources = written(tmp_path, {"longshore.toml": SETTINGS})
    committed = replace(sources, entries={**sources.entries, "test/test_shop.py": "100644 0"})
    assert paths(tmp_path, committed) == ["test"]


def test_what_the_settings_say_stays_as_it_is(tmp_path: Path) -> None:
    said = f'{SETTINGS}[gates.tests.shop]\npaths = ["a", "b"]\nreads = ["**"]\n'
    assert paths(tmp_path, written(tmp_path, {"longshore.toml": said, "tests/test_a.py": ""})) == ["a", "b"]
