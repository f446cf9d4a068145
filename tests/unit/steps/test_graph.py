"""The graph and its scheduler, with steps that are plain functions."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from longshore.cancellation import Cancellation
from longshore.console import Console
from longshore.errors import BadInput, GateFailed, Interrupted
from longshore.steps import scheduler
from longshore.steps.cache import Cache
from longshore.steps.graph import Graph, Passing, Progress, Step
from longshore.steps.inputs import Inputs
from longshore.steps.tree import Tree


def step(
    name: str, *needs: str, run: Callable[[Progress], str | None] = lambda progress: None, **options: object
) -> Step:
    return Step(name=name, title=name, needs=needs, run=run, **options)  # type: ignore[arg-type]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.screen = io.StringIO()
        self.console = Console({}, ci=True, stream=self.screen)
        self.folder = folder
        self.cancellation = Cancellation()

    def run(self, *steps: Step, **options: bool) -> scheduler.Report:
        cache = Cache(folder=self.folder / "cache", tree=Tree(self.folder, self.folder / "cache"))
        return scheduler.run(Graph(steps), self.console, cache, self.cancellation, **options)


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
        bench.cancellation.wait(60)

    def fail(progress: Progress) -> None:
        time.sleep(0.05)
        raise GateFailed("found something")

    began = time.monotonic()
    with pytest.raises(scheduler.StepFailure) as caught:
        bench.run(step("slow", run=wait), step("gate", run=fail), step("after", "gate"))
    assert caught.value.step == "gate"
    assert caught.value.failure.sentence == "found something"
    assert time.monotonic() - began < 30


def test_nothing_that_needs_a_failed_step_runs(bench: Bench) -> None:
    ran: list[str] = []

    def fail(progress: Progress) -> None:
        raise GateFailed("no")

    with pytest.raises(scheduler.StepFailure):
        bench.run(step("gate", run=fail), step("release", "gate", run=lambda progress: ran.append("release")))
    assert ran == []


def reads(**settings: object) -> Inputs:
    return Inputs(settings=settings)  # type: ignore[arg-type]


def test_unchanged_inputs_skip_the_step_and_changed_ones_do_not(bench: Bench) -> None:
    ran: list[int] = []
    mark = "one"

    def again() -> scheduler.Report:
        return bench.run(step("lint", run=lambda progress: ran.append(1), reads=reads(mark=lambda: mark)))

    again()
    assert again().skipped == {"lint": "unchanged"}
    mark = "two"
    again()
    assert len(ran) == 2
    mark = "one"
    assert again().skipped == {"lint": "known from an earlier run"}


def test_a_failed_step_is_not_remembered(bench: Bench) -> None:
    def fail(progress: Progress) -> None:
        raise GateFailed("no")

    for _ in range(2):
        with pytest.raises(scheduler.StepFailure):
            bench.run(step("lint", run=fail, reads=reads()))


def test_a_result_that_was_not_had_in_full_is_said_again_and_asked_for_again_after_an_hour(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = step("ask", run=lambda progress: Passing("NOT CHECKED"), reads=reads())
    assert "ask" in bench.run(ask).ran
    bench.screen.truncate(0)
    assert "ask" in bench.run(ask).skipped
    assert "NOT CHECKED" in bench.screen.getvalue()
    later = time.time() + 3700
    monkeypatch.setattr("time.time", lambda: later)
    assert "ask" in bench.run(ask).ran


def test_inputs_that_change_while_the_step_runs_are_not_remembered(bench: Bench) -> None:
    (bench.folder / "a.py").write_text("before")

    def meanwhile(progress: Progress) -> None:
        (bench.folder / "a.py").write_text("after ")

    files = Inputs(files=("*.py",))
    bench.run(step("lint", run=meanwhile, reads=files))
    (bench.folder / "a.py").write_text("before")
    assert "lint" in bench.run(step("lint", reads=files)).ran


def test_what_can_run_after_a_failure_does_when_asked_to(bench: Bench) -> None:
    ran: list[str] = []

    def fail(progress: Progress) -> None:
        raise GateFailed("no")

    steps = (
        step("gate", run=fail),
        step("after", "gate"),
        step("a"),
        step("b", "a", run=lambda progress: ran.append("b")),
    )
    with pytest.raises(scheduler.StepFailure, match="no"):
        bench.run(*steps, keep_going=True)
    assert ran == ["b"]


def test_the_longest_chain_starts_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    order: list[str] = []
    clock = 0.0
    monkeypatch.setattr(
        "longshore.steps.scheduler.time", SimpleNamespace(monotonic=lambda: clock, time=time.time)
    )

    def note(name: str, seconds: float) -> Callable[[Progress], None]:
        def work(progress: Progress) -> None:
            nonlocal clock
            order.append(name)
            clock += seconds

        return work

    steps = [
        step("short", run=note("short", 0), cores=1),
        step("long", run=note("long", 15), cores=1),
        step("chain", run=note("chain", 5), cores=1),
        step("end", "chain", run=note("end", 20), cores=1),
    ]
    bench.run(*steps)
    order.clear()
    bench.run(*steps)
    assert order == ["chain", "end", "long", "short"]


def test_before_anything_has_run_the_longest_expected_starts_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    order: list[str] = []

    def note(name: str, expected: float) -> Step:
        return replace(step(name, run=lambda progress: order.append(name), cores=1), expected=expected)

    bench.run(note("short", 1), note("long", 20), note("middle", 7))
    assert order == ["long", "middle", "short"]


def test_no_more_runs_at_once_than_there_are_cores_but_what_waits_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    busy, most, lock = 0, 0, threading.Lock()
    waits = threading.Barrier(8, timeout=5)

    def work(progress: Progress) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02)
        with lock:
            busy -= 1

    heavy = [step(f"heavy-{n}", run=work, cores=1) for n in range(6)]
    light = [step(f"light-{n}", run=lambda progress: waits.wait() and None) for n in range(8)]
    bench.run(*heavy, *light)
    assert most == 2


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
