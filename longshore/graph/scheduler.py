"""Runs a graph: as much at once as the cores allow, the longest chain first; a failure stops what can be stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from msgspec import Struct

from longshore.console.lines import Console
from longshore.errors import Failure, Interrupted, Stopped, Unexpected, of_system
from longshore.graph.cache import Cache, State
from longshore.graph.steps import Graph, Values
from longshore.process.cancellation import Cancellation

TICK = 0.1  # seconds between looks at signals and refreshes of the screen
AT_ONCE = 32  # threads; a step without `cores` waits for other programs and takes nothing but one of these

Around = Callable[[str], AbstractContextManager[Path | None]]
Outcome = State | None  # of looking at a step, of running it


def _no_log(_: str) -> AbstractContextManager[None]:
    return nullcontext()


class Fate(Struct, frozen=True, kw_only=True):
    """What became of one step: ran, skipped, failed or stopped; when (s since 1970); the reason or note; its output."""

    outcome: str
    started: float
    ended: float
    reason: str = ""
    log: Path | None = None


@dataclass
class Report:
    """What became of each step, by name: seconds if it ran, the reason if it was skipped, the seconds `saved` by that.

    `values` are what the steps gave.
    """

    steps: dict[str, Fate] = field(default_factory=dict)
    ran: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    saved: dict[str, float] = field(default_factory=dict)
    values: Values = field(default_factory=Values)


class StepFailure(Exception):
    """The first failure of a run, and the step it happened in."""

    def __init__(self, step: str, failure: Failure, log: Path | None = None) -> None:
        super().__init__(failure.sentence)
        self.step, self.failure, self.log = step, failure, log


@dataclass(kw_only=True)
class Scheduler:
    """One run of GRAPH. With KEEP_GOING, steps that do not need a failed one run nevertheless.

    `around` gives each step the log that its commands write to. `report` is filled as the run proceeds.
    """

    graph: Graph
    console: Console
    cache: Cache
    cancellation: Cancellation
    keep_going: bool = False
    around: Around = _no_log
    report: Report = field(default_factory=Report)
    _first: StepFailure | None = field(default=None, init=False)
    _began: dict[str, float] = field(default_factory=dict, init=False)
    _logs: dict[str, Path | None] = field(default_factory=dict, init=False)
    _looking: dict[Future[Outcome], str] = field(default_factory=dict, init=False)
    _working: dict[Future[Outcome], str] = field(default_factory=dict, init=False)
    _waiting: dict[str, State] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._sorter = self.graph.sorter()
        self._sorter.prepare()
        self._cores = len(os.sched_getaffinity(0))
        self._urgency = _urgency(self.graph, self.cache.durations())

    def run(self) -> Report:
        """Run the graph to its end.

        Raise StepFailure with the first step that failed, once no other step is running.
        """
        try:
            self._run()
        finally:
            self.cache.close()
        if self.cancellation.requested:
            raise Interrupted(self.cancellation.signal)
        if self._first:
            raise self._first
        return self.report

    def _run(self) -> None:
        """Look at each step as soon as it may run; what turns out to have work waits for cores."""
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            while True:
                if not self.cancellation.requested and (self._first is None or self.keep_going):
                    for name in self._sorter.get_ready():
                        self._looking[pool.submit(self._look, name)] = name
                    self._start(pool)
                if not self._looking and not self._working:
                    return
                done, _ = wait([*self._looking, *self._working], timeout=TICK, return_when=FIRST_COMPLETED)
                self.console.tick()
                for future in done:
                    self._take(future)

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Start what waits and fits, the most urgent first."""
        busy = sum(self._share(name) for name in self._working.values())
        # What is being looked at is about to wait as well, and may be more urgent.
        looked_at = max((self._urgency[name] for name in self._looking.values() if self._share(name)), default=0.0)
        for name in sorted(self._waiting, key=lambda name: -self._urgency[name]):
            share = self._share(name)
            if share == 0 or (busy + share <= self._cores and self._urgency[name] >= looked_at):
                busy += share
                self._working[pool.submit(self._work, name, self._waiting.pop(name))] = name

    def _share(self, name: str) -> float:
        return min(self.graph.steps[name].cores, self._cores)

    def _take(self, future: Future[Outcome]) -> None:
        name = self._looking.pop(future, "") or self._working.pop(future, "")
        problem = _problem(future)
        if problem is not None:
            self._failed(name, problem)
        elif isinstance(state := future.result(), State):
            if state.reason:
                self._skipped(name, state)
            else:
                self._waiting[name] = state
        else:
            self._sorter.done(name)

    def _skipped(self, name: str, state: State) -> None:
        self.report.skipped[name] = state.reason
        self.report.values.put(name, state.value)
        self._note(name, "skipped", state.reason)
        if state.note:
            self.console.finished(name, state.note, seconds=0)
        if state.saved:
            self.report.saved[name] = state.saved
        self._sorter.done(name)

    def _failed(self, name: str, problem: Failure) -> None:
        stopped = isinstance(problem, Stopped)
        self._note(name, "stopped" if stopped else "failed", problem.sentence)
        self.console.finished(name, "stopped" if stopped else problem.sentence, ok=False, log=self._logs.get(name))
        if stopped:
            return
        self.report.failed[name] = problem.sentence
        if self._first is None:
            self._first = StepFailure(name, problem, self._logs.get(name))
            if not self.keep_going:
                self.cancellation.stop()

    def _look(self, name: str) -> State:
        return self.cache.look(self.graph.steps[name], self.report.values)

    def _work(self, name: str, state: State) -> None:
        step = self.graph.steps[name]
        self._began[name], began = time.time(), time.monotonic()
        self.console.started(name, step.title)
        with self.around(name) as log:
            self._logs[name] = log
            if step.guard:
                step.guard()
            result = step.run(partial(self.console.progress, name), self.report.values)
        seconds = time.monotonic() - began
        self.report.ran[name] = seconds
        self.report.values.put(name, result.value, fresh=True)
        self._note(name, "ran", result.note)
        self.cache.keep(step, state, result, seconds)
        self.console.finished(name, result.note or step.title, seconds=seconds, log=log)

    def _note(self, name: str, outcome: str, reason: str) -> None:
        now = time.time()
        log = self._logs.get(name)
        self.report.steps[name] = Fate(
            outcome=outcome,
            started=self._began.get(name, now),
            ended=now,
            reason=reason,
            log=log if log and log.exists() else None,
        )


def _urgency(graph: Graph, durations: Mapping[str, float]) -> dict[str, float]:
    """Return how long the chain is that begins with each step, in seconds, as far as earlier runs tell."""
    urgency: dict[str, float] = dict.fromkeys(graph.steps, 0.0)
    for step in reversed(graph.order()):
        urgency[step.name] += durations.get(step.record, step.expected)
        for need in step.needs:
            urgency[need] = max(urgency[need], urgency[step.name])
    return urgency


def _problem(future: Future[Outcome]) -> Failure | None:
    error = future.exception()
    if error is None or isinstance(error, Failure):
        return error
    if failure := of_system(error):
        return failure
    if isinstance(error, Exception):
        return Unexpected(error)
    raise error
