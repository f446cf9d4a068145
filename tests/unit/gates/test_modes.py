"""Each group of gates is ours, theirs or off: what longshore.toml says, and the steps that it makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longshore.console.lines import Console
from longshore.errors import BadInput
from longshore.gates.run import Gates
from longshore.graph import drawing
from longshore.graph.steps import Graph
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.settings.load import load
from longshore.tasks import catalogue
from longshore.tasks.world import World
from tests.unit.sources import snapshot_of

BASE = '[project]\nname = "shop"\n[environments.blue]\n[environments.green]\nprotected = true\n'
THEIRS = '[gates.lint]\nrun = ["just", "lint"]\n'
OFF = '[gates.scan]\noff = "the platform team scans the registry"\n'
OURS = {
    "lint": ("ruff", "format", "types", "yaml", "dockerfile"),
    "test": ("test-unit",),
    "scan": ("bandit", "secrets", "dependencies"),
}


def graph(folder: Path, text: str, environment: str = "blue") -> Graph:
    (folder / "longshore.toml").write_text(BASE + text)
    (folder / "application").mkdir(exist_ok=True)
    (folder / "Dockerfile").touch()
    world = World(load(folder, {}), environment, Runner({}), lambda: snapshot_of(folder))
    return catalogue.graph(world)


def gates(folder: Path, text: str) -> Graph:
    (folder / "longshore.toml").write_text(BASE + text)
    return catalogue.gates(load(folder, {}), Runner({}), lambda: snapshot_of(folder))


@pytest.mark.parametrize("group", OURS)
def test_their_command_stands_in_place_of_the_steps_of_its_group(tmp_path: Path, group: str) -> None:
    whole = graph(tmp_path, f'[gates.{group}]\nrun = ["just", "{group}"]\n')
    for other, names in OURS.items():
        assert whole.group(other) == ((f"{group}-command",) if other == group else names)
    assert f"{group}-command" in whole.steps["release"].needs
    assert whole.steps[f"{group}-command"].title == f"just {group}"


def test_tests_that_are_not_there_are_a_sentence_with_the_lines_to_write(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(BASE)
    with pytest.raises(BadInput, match=r"paths under \[gates\.tests\.unit\] names tests/unit") as caught:
        Gates(load(tmp_path, {}), Runner({}), lambda: snapshot_of(tmp_path)).suite("unit", lambda _: None)
    assert '`off = "reason"` under [gates.test]' in caught.value.hint


def test_the_tests_of_a_release_are_no_unit_tests(tmp_path: Path) -> None:
    """They ask its address, and there is none."""

    class Asked(Exception):
        pass

    class Asking(Runner):
        def run(self, command: Command, **_: Any) -> Result:
            assert "--ignore=tests/smoke" in command.argv
            raise Asked

    (tmp_path / "longshore.toml").write_text(f'{BASE}[gates]\nvirtualenv = "ours"\n')
    for name in ("tests/test_shop.py", "tests/smoke/test_release.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    ours = replace(snapshot_of(tmp_path), workspace=lambda: tmp_path)
    with pytest.raises(Asked):
        Gates(load(tmp_path, {}), Asking({}), lambda: ours).suite("unit", lambda _: None)


def test_it_reads_everything_unless_told_what(tmp_path: Path) -> None:
    reads = gates(tmp_path, THEIRS).steps["lint-command"].reads
    assert reads is not None
    assert (reads.files, reads.tools) == (("**",), ("just",))
    assert dict(reads.settings) == {"gates.lint.run": ["just", "lint"]}
    more = 'reads = ["application"]\ntools = ["ruff"]\nenv = ["TOKEN"]\nreports = ["lint.xml"]\n'
    step = gates(tmp_path, THEIRS + more).steps["lint-command"]
    assert step.reads is not None
    assert (step.reads.files, step.reads.tools) == (("application",), ("just", "ruff"))
    assert dict(step.reads.observed) == {"variable TOKEN": "not set"}
    assert step.reports == ("lint.xml",)


@pytest.mark.parametrize("environment", ["blue", "green"])
def test_a_group_that_is_off_has_no_steps_and_nothing_waits_for_it(tmp_path: Path, environment: str) -> None:
    whole = graph(tmp_path, OFF, environment)
    assert whole.off == {"scan": "the platform team scans the registry"}
    assert not whole.group("scan")
    assert set(whole.steps["release"].needs) >= {"ruff", "test-unit", "image"}
    assert not set(whole.steps["release"].needs) & set(OURS["scan"])
    assert whole.find("scan") == ()


def test_a_part_of_the_graph_says_what_is_off_of_what_was_asked_for(tmp_path: Path) -> None:
    whole = gates(tmp_path, OFF)
    assert whole.only("lint").off == {}
    assert whole.only("lint", "test", "scan").off == whole.off
    alone = whole.only("scan")
    assert (alone.steps, alone.off) == ({}, whole.off)
    with pytest.raises(BadInput, match="no step is called 'bandit'"):
        whole.only("bandit")


def test_no_step_is_called_nothing(tmp_path: Path) -> None:
    whole = graph(tmp_path, OFF)
    assert any(not step.group for step in whole.steps.values())
    with pytest.raises(BadInput, match="no step is called ''"):
        whole.find("")


def test_a_step_of_ones_own_may_need_a_group_that_is_off(tmp_path: Path) -> None:
    step = graph(tmp_path, f'{OFF}[steps.e2e]\nrun = ["true"]\nneeds = ["scan", "types"]\n').steps["e2e"]
    assert step.needs == ("types",)


def test_a_drawing_says_what_is_off(tmp_path: Path) -> None:
    whole = graph(tmp_path, '[gates.scan]\noff = "the \\"platform\\" team scans"\n')
    assert 'scan is off: the "platform" team scans' in drawing.tree(whole)
    node = '"scan" [label="scan is off", style=dashed, tooltip="the \\"platform\\" team scans"];'
    assert f"  {node}" in drawing.dot(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[gates.lint]\nrun = ["x"]\noff = "a reason"\n', "longshore.toml:8: gates.lint.off stands beside `run`"),
        ("[gates.lint]\n", "longshore.toml:6: gates.lint has neither `run` nor `off`"),
        ('[gates.lint]\nreads = ["a"]\n', "longshore.toml:6: gates.lint has neither `run` nor `off`"),
        ('[gates.lint]\noff = ""\n', "longshore.toml:7: gates.lint.off is '', not a sentence that says why"),
        ('[gates.lint]\noff = "  "\n', "longshore.toml:7: gates.lint.off is '  ', not a sentence that says why"),
        ('[gates.lint]\noff = "a\\nb"\n', "not a sentence that says why, in one line"),
        ("[gates.lint]\noff = true\n", "longshore.toml:7: gates.lint.off is true, not a sentence that says why"),
        ('[gates.lint]\nrun = "just lint"\n', "gates.lint.run is 'just lint', not a program and its arguments"),
        ("[gates.lint]\nrun = []\n", "longshore.toml:7: gates.lint.run is a list, not a program and its arguments"),
        ('[gates.lint]\nrun = ["x"]\ndeadlin = 9\n', "longshore.toml:8: gates.lint.deadlin is not a setting"),
        ('[gates.lnit]\nrun = ["x"]\n', "longshore.toml:6: gates.lnit is not a setting"),
        (
            f'{OFF}[steps.x]\nrun = ["x"]\ngroup = "scan"\n',
            "longshore.toml:10: steps.x.group is 'scan', and that group is off",
        ),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        gates(tmp_path, text)
    assert said in caught.value.sentence
    assert caught.value.hint


def test_no_variable_turns_a_gate_off(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(BASE)
    with pytest.raises(BadInput, match=r"gates\.lint\.off decides what runs, which no variable overrides"):
        load(tmp_path, {"LONGSHORE__GATES__LINT__OFF": "a reason"})


def test_a_run_of_nothing_but_what_is_off_is_no_fault(tmp_path: Path) -> None:
    from longshore.graph.cache import Cache
    from longshore.graph.scheduler import Scheduler
    from longshore.process.cancellation import Cancellation

    whole = gates(tmp_path, OFF).only("scan")
    cache = Cache(folder=tmp_path / "cache", root=tmp_path, sources=lambda: snapshot_of(tmp_path))
    report = Scheduler(graph=whole, console=Console(ci=True), cache=cache, cancellation=Cancellation()).run()
    assert not report.steps
