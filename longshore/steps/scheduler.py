"""Runs a graph: in order, as much at once as the cores allow, the longest chain first, and stops what can be stopped on a failure."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from longshore.cancellation import Cancellation
from longshore.console import Console
from longshore.errors import DiskFull, Failure, Interrupted, Stopped
from longshore.steps.cache import Cache, State
from longshore.steps.graph import Graph

TICK = 0.1  # seconds between looks at signals and refreshes of the screen
AT_ONCE = 32  # threads; a step without `cores` waits for other programs and takes nothing but one of these


Around = Callable[[str], AbstractContextManager[Path | None]]


def _no_log(_: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of one step: ran, skipped, failed or stopped; when (s since 1970); why, or what it said; where its whole output is."""

    outcome: str
    started: float
    ended: float
    reason: str = ""
    log: Path | None = None


@dataclass
class Report:
    """What became of each step: `ran` and `skipped` by name, with seconds or the reason; `saved` is what skipping spared, in seconds."""

    steps: dict[str, Fate] = field(default_factory=dict)
    ran: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    saved: dict[str, float] = field(default_factory=dict)


class StepFailure(Exception):
    """The first failure of a run, and the step it happened in."""

    def __init__(self, step: str, failure: Failure, log: Path | None = None) -> None:
        super().__init__(failure.sentence)
        self.step, self.failure, self.log = step, failure, log


def run(
    graph: Graph, console: Console, cache: Cache, cancellation: Cancellation, *, keep_going: bool = False, report: Report | None = None,
    around: Around = _no_log,
) -> Report:  # fmt: skip
    """Run GRAPH to its end; raise StepFailure with the first step that failed, once no other step is running.

    With KEEP_GOING, steps that do not need the failed one run nevertheless. AROUND gives each step the log that its commands write to.
    """
    job = _Job(graph, console, cache, cancellation, keep_going, report or Report(), around)
    try:
        job.run()
    finally:
        cache.close()
    if cancellation.requested:
        raise Interrupted(cancellation.signal)
    if job.first:
        raise job.first
    return job.report


class _Job:
    """One run. Each step is looked at as soon as it may be; what turns out to have work waits for cores."""

    def __init__(
        self, graph: Graph, console: Console, cache: Cache, cancellation: Cancellation, keep_going: bool, report: Report,
        around: Around,
    ) -> None:  # fmt: skip
        self.graph, self.console, self.cache, self.cancellation = graph, console, cache, cancellation
        self.keep_going, self.report, self.around = keep_going, report, around
        self.began: dict[str, float] = {}
        self.logs: dict[str, Path | None] = {}
        self.first: StepFailure | None = None
        self.sorter: TopologicalSorter[str] = graph.sorter()
        self.sorter.prepare()
        self.cores = len(os.sched_getaffinity(0))
        self.lookings: dict[Future[State | None], str] = {}
        self.workings: dict[Future[State | None], str] = {}
        self.waiting: dict[str, State] = {}
        self.urgency = _urgency(graph, cache.durations())

    def run(self) -> None:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            while True:
                if self._open():
                    for name in self.sorter.get_ready():
                        self.lookings[pool.submit(self._look, name)] = name
                    self._start(pool)
                if not self.lookings and not self.workings:
                    return
                done, _ = wait([*self.lookings, *self.workings], timeout=TICK, return_when=FIRST_COMPLETED)
                self.console.tick()
                for future in done:
                    self._take(future)

    def _open(self) -> bool:
        return not self.cancellation.requested and (self.first is None or self.keep_going)

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Start what waits and fits, the most urgent first."""
        busy = sum(self._share(name) for name in self.workings.values())
        looked_at = max(
            (self.urgency[name] for name in self.lookings.values() if self._share(name)), default=0.0
        )
        for name in sorted(self.waiting, key=lambda name: -self.urgency[name]):
            share = self._share(name)
            # What is being looked at is about to wait as well, and may be more urgent.
            if share == 0 or (busy + share <= self.cores and self.urgency[name] >= looked_at):
                busy += share
                self.workings[pool.submit(self._work, name, self.waiting.pop(name))] = name

    def _share(self, name: str) -> float:
        return min(self.graph.steps[name].cores, self.cores)

    def _take(self, future: Future[State | None]) -> None:
        name = self.lookings.pop(future, "") or self.workings.pop(future, "")
        problem = _problem(future)
        if problem is not None:
            self._failed(name, problem)
        elif isinstance(state := future.result(), State):
            if state.reason:
                self._skipped(name, state)
            else:
                self.waiting[name] = state
        else:
            self.sorter.done(name)

    def _skipped(self, name: str, state: State) -> None:
        self.report.skipped[name] = state.reason
        self._note(name, "skipped", state.reason)
        if state.said:
            self.console.finished(name, state.said, seconds=0)
        if state.saved:
            self.report.saved[name] = state.saved
        self.sorter.done(name)

    def _failed(self, name: str, problem: Failure) -> None:
        stopped = isinstance(problem, Stopped)
        self._note(name, "stopped" if stopped else "failed", problem.sentence)
        self.console.finished(
            name, "stopped" if stopped else problem.sentence, ok=False, log=self.logs.get(name)
        )
        if stopped:
            return
        self.report.failed[name] = problem.sentence
        if self.first is None:
            self.first = StepFailure(name, problem, self.logs.get(name))
            if not self.keep_going:
                self.cancellation.stop()

    def _look(self, name: str) -> State | None:
        return self.cache.look(self.graph.steps[name])

    def _work(self, name: str, state: State) -> State | None:
        step = self.graph.steps[name]
        self.began[name], began = time.time(), time.monotonic()
        self.console.started(name, step.title)
        with self.around(name) as log:
            self.logs[name] = log
            note = step.run(_progress(self.console, name)) or ""
        took = time.monotonic() - began
        self.report.ran[name] = took
        self._note(name, "ran", note)
        self.cache.keep(step, state, note, took)
        self.console.finished(name, note or step.title, seconds=took, log=log)
        return None

    def _note(self, name: str, outcome: str, reason: str) -> None:
        now = time.time()
        log = self.logs.get(name)
        self.report.steps[name] = Fate(
            outcome=outcome, started=self.began.get(name, now), ended=now, reason=reason, log=log if log and log.exists() else None
        )  # fmt: skip


def _urgency(graph: Graph, durations: Mapping[str, float]) -> dict[str, float]:
    """Return how long the chain is that begins with each step, in seconds, as far as earlier runs tell."""
    found: dict[str, float] = dict.fromkeys(graph.steps, 0.0)
    for step in reversed(graph.order()):
        found[step.name] += durations.get(step.record, step.expected)
        for need in step.needs:
            found[need] = max(found[need], found[step.name])
    return found


def _problem(future: Future[State | None]) -> Failure | None:
    error = future.exception()
    if error is None or isinstance(error, Failure):
        return error
    if isinstance(error, OSError) and error.errno in (28, 122):  # ENOSPC, EDQUOT
        return DiskFull("the disk is full")
    raise error


def _progress(console: Console, name: str) -> Callable[..., None]:
    def progress(text: str, done: int | None = None, total: int | None = None) -> None:
        console.progress(name, text, done, total)

    return progress
