"""Which steps run at once, and which one first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from longshore.errors import Interrupted
from longshore.graph.steps import Progress, Step
from tests.unit.graph.bench import Bench, step


def test_steps_that_do_not_need_each_other_run_at_once(bench: Bench) -> None:
    both = threading.Barrier(2, timeout=5)
    arrived: list[int] = []
    bench.run(*(step(name, run=lambda progress: arrived.append(both.wait())) for name in ("a", "b")))
    assert sorted(arrived) == [0, 1]


def test_the_longest_chain_starts_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    order: list[str] = []
    clock = 0.0
    monkeypatch.setattr("longshore.graph.scheduler.time", SimpleNamespace(monotonic=lambda: clock, time=time.time))

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
