"""A step is a declaration; the graph is what the declarations say about each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from longshore.errors import BadInput

Progress = Callable[..., None]  # progress(text, done=None, total=None)
Work = Callable[[Progress], str | None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One unit of work.

    `run` does it and returns a few words about what came of it. `settled` returns a reason when there is nothing to do,
    else None; it takes milliseconds and changes nothing. `fingerprint` returns the hash of all that the step reads: the same hash
    as at the last success means that the step need not run again.
    """

    name: str
    title: str
    run: Work
    needs: tuple[str, ...] = ()
    settled: Callable[[], str | None] | None = None
    fingerprint: Callable[[], str] | None = None
    data: Mapping[str, Any] | None = None


class Graph:
    """Steps by name, checked: every need exists and nothing needs itself."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps: dict[str, Step] = {}
        for step in steps:
            if step.name in self.steps:
                raise BadInput(f"two steps are called {step.name}")
            self.steps[step.name] = step
        for step in self.steps.values():
            for need in step.needs:
                if need not in self.steps:
                    raise BadInput(f"step {step.name} needs {need}, which is no step")
        try:
            self.sorter().prepare()
        except CycleError as problem:
            raise BadInput(f"steps need each other in a circle: {' → '.join(problem.args[1])}") from None

    def sorter(self) -> TopologicalSorter[str]:
        """Return a fresh sorter over the graph."""
        return TopologicalSorter({step.name: step.needs for step in self.steps.values()})

    def only(self, *names: str) -> Graph:
        """Return the part of the graph that the steps called NAMES need, themselves included."""
        wanted: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue.extend(self.steps[name].needs)
        return Graph(step for step in self.steps.values() if step.name in wanted)
