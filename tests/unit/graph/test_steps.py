"""The graph and its scheduler, with steps that are plain functions."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput, GateFailed
from longshore.graph import scheduler
from longshore.graph.explain import explain
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Graph, Progress, Result, Step, Values
from tests.unit.graph.bench import Bench, reads, step


def test_a_step_runs_after_what_it_needs(bench: Bench) -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[Progress], None]:
        return lambda progress: order.append(name)

    bench.run(step("c", "a", "b", run=note("c")), step("b", "a", run=note("b")), step("a", run=note("a")))
    assert order == ["a", "b", "c"]


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
    ask = step("ask", run=lambda progress: Result(note="NOT CHECKED", partial=True), reads=reads())
    assert "ask" in bench.run(ask).ran
    bench.screen.truncate(0)
    assert "ask" in bench.run(ask).skipped
    assert "NOT CHECKED" in bench.screen.getvalue()
    later = time.time() + 3700
    monkeypatch.setattr("time.time", lambda: later)
    assert "ask" in bench.run(ask).ran


def test_a_step_receives_the_values_of_what_it_needs(bench: Bench) -> None:
    received: list[tuple[int, bool]] = []

    def take(progress: Progress, values: Values) -> Result:
        received.append((values.get("build", int), "build" in values.fresh))
        return Result(value="released")

    build = step("build", run=lambda progress: Result(value=7))
    release = Step(name="release", title="release", needs=("build",), run=take)
    report = bench.run(build, release)
    settled = replace(build, settled=lambda values: Result(note="built already", value=8))
    bench.run(settled, release)
    assert received == [(7, True), (8, False)]
    assert report.values.get("release", str) == "released"


def test_the_guard_is_asked_before_the_step_runs_and_not_where_it_has_nothing_to_do(bench: Bench) -> None:
    order: list[str] = []

    def refuse() -> None:
        order.append("guard")
        raise GateFailed("not this one")

    release = step("release", run=lambda progress: order.append("run"), guard=refuse)
    with pytest.raises(scheduler.StepFailure, match="not this one"):
        bench.run(release)
    bench.run(replace(release, settled=lambda values: Result(note="up")))
    bench.run(replace(release, guard=lambda: order.append("permitted")))
    assert order == ["guard", "permitted", "run"]


def test_a_value_of_another_kind_is_a_mistake_in_the_graph(bench: Bench) -> None:
    values = Values()
    values.put("build", "text")
    with pytest.raises(TypeError, match="build"):
        values.get("build", int)


def test_another_output_makes_the_steps_that_read_it_run_again(bench: Bench) -> None:
    output = 1

    def again() -> scheduler.Report:
        build = step("build", run=lambda progress: Result(value=output))
        return bench.run(build, step("check", "build", reads=Inputs(outputs=("build",))))

    again()
    assert again().skipped == {"check": "unchanged"}
    output = 2
    assert "check" in again().ran


def test_what_reads_the_output_of_a_step_that_would_run_is_decided_after_it(bench: Bench) -> None:
    build = step("build", reads=reads(), settled=lambda values: None)
    release = step("release", "build", reads=Inputs(outputs=("build",)), settled=lambda values: Result(note="up"))
    reasons = explain(Graph([build, release]), ["build", "release"], bench.cache())
    assert [why.runs for why in reasons] == [True, False]
    assert reasons[1].lines() == ["release depends on the output of build; decided after that has run"]
    settled = replace(build, settled=lambda values: Result(note="built already", value=1))
    reasons = explain(Graph([settled, release]), ["release"], bench.cache())
    assert [(why.step, why.reason) for why in reasons] == [("release", "up")]


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


def test_a_need_that_is_no_step_and_a_circle_are_bad_input() -> None:
    with pytest.raises(BadInput, match="needs b, which does not exist"):
        Graph([step("a", "b")])
    with pytest.raises(BadInput, match="circle"):
        Graph([step("a", "b"), step("b", "a")])


def test_only_keeps_what_is_needed() -> None:
    graph = Graph([step("a"), step("b", "a"), step("c", "b"), step("other")])
    assert set(graph.only("b").steps) == {"a", "b"}
