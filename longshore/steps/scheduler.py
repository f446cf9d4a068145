"""Runs a graph: in order, as much at once as may be, and stops what can be stopped when something fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from longshore.cancellation import Cancellation
from longshore.console import Console
from longshore.errors import DiskFull, Failure, Interrupted, Stopped
from longshore.steps.graph import Graph, Step
from longshore.steps.memory import Memory

TICK = 0.1  # seconds between looks at signals and refreshes of the screen
AT_ONCE = 16  # steps mostly wait for other programs; what is heavy divides the cores itself


@dataclass
class Report:
    """What became of each step: `ran` and `skipped` by name, with seconds or the reason."""

    ran: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


class StepFailure(Exception):
    """The first failure of a run, and the step it happened in."""

    def __init__(self, step: str, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.step, self.failure = step, failure


def run(
    graph: Graph, console: Console, memory: Memory, cancellation: Cancellation, *, remember: bool = True
) -> Report:
    """Run GRAPH to its end; raise StepFailure with the first step that failed, once no other step is running."""
    report = Report()
    sorter = graph.sorter()
    sorter.prepare()
    running: dict[Future[None], str] = {}
    first: StepFailure | None = None
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        while (sorter.is_active() and first is None) or running:
            if first is None and not cancellation.requested:
                for name in sorter.get_ready():
                    running[pool.submit(_one, graph.steps[name], console, memory, report, remember)] = name
            if cancellation.requested and not running:
                break
            done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
            console.tick()
            for future in done:
                name = running.pop(future)
                problem = _problem(future)
                if problem is None:
                    sorter.done(name)
                    continue
                console.finished(
                    name, "stopped" if isinstance(problem, Stopped) else problem.sentence, ok=False
                )
                if first is None and not isinstance(problem, Stopped):
                    first = StepFailure(name, problem)
                    cancellation.stop()
    if cancellation.requested:
        raise Interrupted(cancellation.signal)
    if first:
        raise first
    return report


def _problem(future: Future[None]) -> Failure | None:
    error = future.exception()
    if error is None or isinstance(error, Failure):
        return error
    if isinstance(error, OSError) and error.errno in (28, 122):  # ENOSPC, EDQUOT
        return DiskFull("the disk is full")
    raise error


def _one(step: Step, console: Console, memory: Memory, report: Report, remember: bool) -> None:
    reason = step.settled() if step.settled else None
    mark = step.fingerprint() if step.fingerprint else ""
    if mark and remember and memory.get(step.name).get("fingerprint") == mark:
        reason = reason or "unchanged"
    if reason:
        report.skipped[step.name] = reason
        return
    began = time.monotonic()
    console.started(step.name, step.title)
    note = step.run(_progress(console, step.name)) or ""
    took = time.monotonic() - began
    report.ran[step.name] = took
    if mark:
        memory.put(step.name, fingerprint=mark, seconds=round(took, 3))
    console.finished(step.name, note or step.title, seconds=took)


def _progress(console: Console, name: str) -> Callable[..., None]:
    def progress(text: str, done: int | None = None, total: int | None = None) -> None:
        console.progress(name, text, done, total)

    return progress
