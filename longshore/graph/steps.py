"""A step is a declaration; the graph is what the declarations say about each other."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.graph.inputs import Inputs

Value = TypeVar("Value")
NEEDS = "`invoke graph` shows the steps; `needs` and `before` under [steps.NAME] say what waits for what"
Progress = Callable[..., None]  # progress(text, done=None, total=None)


class Result(Struct, frozen=True, kw_only=True):
    """What a step came to: a note for a person, and the `value` that the steps which need it receive.

    `partial` means that it is good enough to go on, but something could not be examined: it holds for an hour, in this
    checkout alone, and its note is repeated until then.
    """

    note: str = ""
    value: object = None
    partial: bool = False


class Values:
    """The values of the steps that are done, by name. `fresh` are those of steps that ran, and were not up to date."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}
        self.fresh: set[str] = set()

    def put(self, step: str, value: object, *, fresh: bool = False) -> None:
        """Keep the VALUE of STEP."""
        self._values[step] = value
        if fresh:
            self.fresh.add(step)

    def get(self, step: str, kind: type[Value]) -> Value:
        """Return the value of STEP, which is a KIND. Raises TypeError where it is none: the graph is wrong."""
        value = self._values.get(step)
        if not isinstance(value, kind):
            raise TypeError(f"step {step} gave {value!r}, not a {kind.__name__}")
        return value

    def known(self, step: str) -> bool:
        """Return whether STEP is done."""
        return step in self._values

    def of(self, steps: Iterable[str]) -> dict[str, object]:
        """Return the values of STEPS, all of which are done."""
        return {step: self._values[step] for step in steps}


Work = Callable[[Progress, Values], Result]
Settled = Callable[[Values], Result | None]


class Step(Struct, frozen=True, kw_only=True):
    """One unit of work.

    `run` does it. `reads` says what it depends on. A step without `settled` is pure: with the inputs of an earlier
    success it need not run, and its `reports` (files, relative to the root) come out of the cache. A step with
    `settled` changes something; that returns a result when there is nothing to do, else None, in milliseconds and
    without changing anything. What such a step reads serves to explain.

    `guard` raises where the step may not change what it would change; a step with a `scope` has one, or is a part of
    an environment on this machine. It is asked each time before `run`.

    `cores` is how many it keeps busy, 0 for one that waits for other programs. `expected` is how many seconds it is
    assumed to take before it has run once. `holds` is for how many seconds a result is good, 0 for ever.
    `group` is a name for several steps together, `scope` the environment that it acts on, if any.
    """

    name: str
    title: str
    run: Work
    needs: tuple[str, ...] = ()
    reads: Inputs | None = None
    settled: Settled | None = None
    guard: Callable[[], None] | None = None
    reports: tuple[str, ...] = ()
    cores: float = 0
    expected: float = 1
    holds: float = 0
    group: str = ""
    scope: str = ""

    @property
    def record(self) -> str:
        """The name under which its last success is kept."""
        return f"{self.scope}.{self.name}" if self.scope else self.name


class Graph:
    """Steps by name, checked: every need exists and nothing needs itself.

    A group's name stands for all of its steps. `off` are groups that are to have none, and why.
    """

    def __init__(self, steps: Iterable[Step], off: Mapping[str, str] | None = None) -> None:
        self.steps: dict[str, Step] = {}
        self.off = dict(off or {})
        for step in steps:
            if step.name in self.steps:
                raise BadInput(f"two steps are called {step.name}")
            self.steps[step.name] = step
        for step in list(self.steps.values()):
            needs = tuple(dict.fromkeys(name for need in step.needs for name in self._needed(step, need)))
            if needs != step.needs:
                self.steps[step.name] = replace(step, needs=needs)
        try:
            self.sorter().prepare()
        except CycleError as problem:
            raise BadInput(f"steps need each other in a circle: {' → '.join(problem.args[1])}", hint=NEEDS) from None

    @property
    def left_out(self) -> list[str]:
        """A line for each group that is off: why."""
        return [f"{group} is off: {why}" for group, why in self.off.items()]

    def _needed(self, step: Step, need: str) -> tuple[str, ...]:
        if (names := self.group(need)) or need in self.off:
            return names
        raise BadInput(f"step {step.name} needs {need}, which does not exist", hint=NEEDS)

    def group(self, name: str) -> tuple[str, ...]:
        """Return the step called NAME, or the steps of the group called so; nothing where there is neither."""
        if name in self.steps:
            return (name,)
        return tuple(step.name for step in self.steps.values() if name and step.group == name)

    def find(self, name: str) -> tuple[str, ...]:
        """Return like `group`; raise BadInput, with the nearest name, where nothing is called NAME, nor is it off."""
        if (names := self.group(name)) or name in self.off:
            return names
        known = [*self.steps, *dict.fromkeys(step.group for step in self.steps.values() if step.group)]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the steps are: {', '.join(known)}"
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
        queue = [step for name in names for step in self.find(name)]
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue.extend(self.steps[name].needs)
        chosen = (step for step in self.steps.values() if step.name in wanted)
        return Graph(chosen, {group: why for group, why in self.off.items() if group in names})

    def fed_by(self, name: str) -> list[str]:
        """Return the steps that read the output of NAME, directly or not, in order: another output makes them run."""
        reached = {name}
        fed = []
        for step in self.order():
            if step.reads and reached & set(step.reads.outputs):
                reached.add(step.name)
                fed.append(step.name)
        return fed
