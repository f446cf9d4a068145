"""The graph and its scheduler, with steps that are plain functions."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.cancellation import Cancellation
from longshore.console import Console
from longshore.errors import BadInput, GateFailed, Interrupted
from longshore.steps import scheduler
from longshore.steps.graph import Graph, Progress, Step
from longshore.steps.memory import Memory


def step(
    name: str, *needs: str, run: Callable[[Progress], str | None] = lambda progress: None, **options: object
) -> Step:
    return Step(name=name, title=name, needs=needs, run=run, **options)  # type: ignore[arg-type]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.screen = io.StringIO()
        self.console = Console({}, ci=True, stream=self.screen)
        self.memory = Memory(folder)
        self.cancellation = Cancellation()

    def run(self, *steps: Step) -> scheduler.Report:
        return scheduler.run(Graph(steps), self.console, self.memory, self.cancellation)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_step_runs_after_what_it_needs(bench: Bench) -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[Progress], None]:
        return lambda progress: order.append(name)

    bench.run(step("c", "a", "b", run=note("c")), step("b", "a", run=note("b")), step("a", run=note("a")))
    assert order == ["a", "b", "c"]


def test_steps_that_do_not_need_each_other_run_at_once(bench: Bench) -> None:
    both = threading.Barrier(2, timeout=5)

    def meet(progress: Progress) -> None:
        both.wait()

    bench.run(step("a", run=meet), step("b", run=meet))


def test_the_failure_shown_is_the_first_not_a_sibling_that_was_stopped(bench: Bench) -> None:
    def wait(progress: Progress) -> None:
        bench.cancellation.wait(10)

    def fail(progress: Progress) -> None:
        time.sleep(0.05)
        raise GateFailed("found something")

    began = time.monotonic()
    with pytest.raises(scheduler.StepFailure) as caught:
        bench.run(step("slow", run=wait), step("gate", run=fail), step("after", "gate"))
    assert caught.value.step == "gate"
    assert caught.value.failure.sentence == "found something"
    assert time.monotonic() - began < 5


def test_nothing_that_needs_a_failed_step_runs(bench: Bench) -> None:
    ran: list[str] = []

    def fail(progress: Progress) -> None:
        raise GateFailed("no")

    with pytest.raises(scheduler.StepFailure):
        bench.run(step("gate", run=fail), step("release", "gate", run=lambda progress: ran.append("release")))
    assert ran == []


def test_an_unchanged_fingerprint_skips_the_step_and_a_changed_one_does_not(bench: Bench) -> None:
    ran: list[int] = []
    mark = "one"

    def again() -> scheduler.Report:
        return bench.run(step("lint", run=lambda progress: ran.append(1), fingerprint=lambda: mark))

    again()
    assert again().skipped == {"lint": "unchanged"}
    mark = "two"
    again()
    assert len(ran) == 2


def test_a_failed_step_is_not_remembered(bench: Bench) -> None:
    def fail(progress: Progress) -> None:
        raise GateFailed("no")

    for _ in range(2):
        with pytest.raises(scheduler.StepFailure):
            bench.run(step("lint", run=fail, fingerprint=lambda: "same"))


def test_a_damaged_record_is_as_good_as_none(bench: Bench, tmp_path: Path) -> None:
    bench.run(step("lint", fingerprint=lambda: "same"))
    (tmp_path / "lint.json").write_text("{ not json")
    assert "lint" in bench.run(step("lint", fingerprint=lambda: "same")).ran


def test_a_signal_ends_the_run_as_interrupted_and_starts_nothing_more(bench: Bench) -> None:
    ran: list[str] = []

    def signalled(progress: Progress) -> None:
        bench.cancellation._note(15, None)

    with pytest.raises(Interrupted) as caught:
        bench.run(step("a", run=signalled), step("b", "a", run=lambda progress: ran.append("b")))
    assert caught.value.exit_code == 143
    assert ran == []


def test_a_need_that_is_no_step_and_a_circle_are_bad_input() -> None:
    with pytest.raises(BadInput, match="needs b, which is no step"):
        Graph([step("a", "b")])
    with pytest.raises(BadInput, match="circle"):
        Graph([step("a", "b"), step("b", "a")])


def test_only_keeps_what_is_needed() -> None:
    graph = Graph([step("a"), step("b", "a"), step("c", "b"), step("other")])
    assert set(graph.only("b").steps) == {"a", "b"}
