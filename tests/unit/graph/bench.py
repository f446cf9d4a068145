"""Steps that are plain functions, and a scheduler that runs them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from longshore.console.lines import Console
from longshore.graph import scheduler
from longshore.graph.cache import Cache
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Graph, Progress, Result, Step, Values
from longshore.process.cancellation import Cancellation
from tests.unit.sources import snapshot_of


def step(name: str, *needs: str, run: Callable[[Progress], object] = lambda progress: None, **options: object) -> Step:
    """A step whose work takes the progress alone; what it returns is its result where it is one."""

    def work(progress: Progress, values: Values) -> Result:
        result = run(progress)
        return result if isinstance(result, Result) else Result()

    return Step(name=name, title=name, needs=needs, run=work, **options)  # type: ignore[arg-type]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.screen = io.StringIO()
        self.console = Console(ci=True, stream=self.screen)
        self.folder = folder
        self.cancellation = Cancellation()

    def run(self, *steps: Step, **options: bool) -> scheduler.Report:
        graph = Graph(steps)
        run = scheduler.Scheduler(
            graph=graph, console=self.console, cache=self.cache(), cancellation=self.cancellation, **options
        )
        return run.run()

    def cache(self) -> Cache:
        return Cache(folder=self.folder / ".longshore", root=self.folder, sources=lambda: snapshot_of(self.folder))


def reads(**settings: object) -> Inputs:
    return Inputs(settings=settings)  # type: ignore[arg-type]
