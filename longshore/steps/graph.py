"""A step is a declaration; the graph is what the declarations say about each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from longshore.errors import BadInput

if TYPE_CHECKING:
    from longshore.steps.inputs import Inputs

Progress = Callable[..., None]  # progress(text, done=None, total=None)
Work = Callable[[Progress], str | None]


class Passing(str):
    """A few words about a result that is good enough to go on, for an hour and in this checkout alone; they are said again until then."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One unit of work.

    `run` does it and returns a few words about what came of it. `reads` says what it depends on. A step without `settled` is pure: the
    same inputs as at an earlier success mean that it need not run, and its `reports` (files, relative to the root) come out of the cache.
    A step with `settled` changes something; that returns a reason when there is nothing to do, else None, in milliseconds and
    without changing anything, and what it reads serves to explain.

    `cores` is how many it keeps busy; 0 for one that waits for other programs. `expected` is how many seconds it is taken to last
    before it has run once. `holds` is for how many seconds a result is good.
    `group` is a name for several steps together; `scope` is the environment that it acts on, if any.
    """

    name: str
    title: str
    run: Work
    needs: tuple[str, ...] = ()
    reads: Inputs | None = None
    settled: Callable[[], str | None] | None = None
    reports: tuple[str, ...] = ()
    cores: float = 0
    expected: float = 1
    holds: float = 0
    group: str = ""
    scope: str = ""

    @property
    def record(self) -> str:
        """What its last success is kept under."""
        return f"{self.scope}.{self.name}" if self.scope else self.name


class Graph:
    """Steps by name, checked: every need exists and nothing needs itself. A group's name stands for all of its steps."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps: dict[str, Step] = {}
        for step in steps:
            if step.name in self.steps:
                raise BadInput(f"two steps are called {step.name}")
            self.steps[step.name] = step
        for step in list(self.steps.values()):
            needs = tuple(dict.fromkeys(name for need in step.needs for name in self._named(step, need)))
            if needs != step.needs:
                self.steps[step.name] = replace(step, needs=needs)
        try:
            self.sorter().prepare()
        except CycleError as problem:
            raise BadInput(f"steps need each other in a circle: {' → '.join(problem.args[1])}") from None

    def _named(self, step: Step, need: str) -> tuple[str, ...]:
        if found := self.group(need):
            return found
        raise BadInput(f"step {step.name} needs {need}, which is no step")

    def group(self, name: str) -> tuple[str, ...]:
        """Return the step called NAME, or the steps of the group called so; nothing where there is neither."""
        if name in self.steps:
            return (name,)
        return tuple(step.name for step in self.steps.values() if step.group == name)

    def find(self, name: str) -> tuple[str, ...]:
        """Return like `group`; raise BadInput, naming the nearest one, where there is nothing called NAME."""
        if found := self.group(name):
            return found
        import difflib

        known = [*self.steps, *dict.fromkeys(s.group for s in self.steps.values() if s.group)]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
        raise BadInput(f"no step is called {name!r}", hint=hint)

    def sorter(self) -> TopologicalSorter[str]:
        """Return a fresh sorter over the graph."""
        return TopologicalSorter({step.name: step.needs for step in self.steps.values()})

    def order(self) -> list[Step]:
        """Return the steps, each after those that it needs."""
        return [self.steps[name] for name in self.sorter().static_order()]

    def only(self, *names: str) -> Graph:
        """Return the part of the graph that the steps or groups called NAMES need, themselves included."""
        wanted: set[str] = set()
        queue = [found for name in names for found in self.find(name)]
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue.extend(self.steps[name].needs)
        return Graph(step for step in self.steps.values() if step.name in wanted)

    def after(self, name: str) -> list[str]:
        """Return the steps that need NAME, directly or not, in order."""
        reached = {name}
        found = []
        for step in self.order():
            if reached & set(step.needs):
                reached.add(step.name)
                found.append(step.name)
        return found

    def fed_by(self, name: str) -> list[str]:
        """Return the steps that read what comes out of NAME, directly or not, in order: these run again when it gives something else."""
        reached = {name}
        found = []
        for step in self.order():
            if step.reads and reached & set(step.reads.outputs):
                reached.add(step.name)
                found.append(step.name)
        return found
