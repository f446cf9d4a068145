"""Why a step would run, or would not: what it reads, compared with what it read when it last succeeded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from longshore.steps import inputs as reading
from longshore.steps.cache import Cache
from longshore.steps.graph import Graph, Step

NEVER = "it has never succeeded here"
FORCED = "it is forced"
OTHERWISE = "nothing that it reads has changed, but the environment is not as it would leave it"


@dataclass(frozen=True, kw_only=True)
class Why:
    """Whether STEP runs, the reason in words, and the inputs that changed since its last success: name, old, new."""

    step: str
    runs: bool
    reason: str
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    reads: int = 0
    feeds: list[str] = field(default_factory=list)  # steps that run again when this one gives something else

    def data(self) -> dict[str, Any]:
        """Return it for programs."""
        changed = [{"input": name, "old": old, "new": new} for name, old, new in self.changed]
        return asdict(self) | {"changed": changed}

    def lines(self) -> list[str]:
        """Return it for a person."""
        found = [f"{self.step} {'would run' if self.runs else 'is up to date'}: {self.reason}"]
        width = min(48, max((len(name) for name, _, _ in self.changed), default=0))
        for name, old, new in self.changed[:SHOWN]:
            before, now = (reading.shown(value) if value else "(not there)" for value in (old, new))
            found.append(f"  {name:<{width}}  {before} → {now}")
        if len(self.changed) > SHOWN:
            found.append(f"  and {len(self.changed) - SHOWN} more; --json has them all")
        if self.runs and self.feeds:
            found.append(f"next: {', '.join(self.feeds)}, if it gives something else than before")
        return found


SHOWN = 20


def why(graph: Graph, name: str, cache: Cache) -> Why:
    """Return why the step called NAME would run, without running anything."""
    step = graph.steps[name]
    state = cache.look(step)
    feeds = graph.fed_by(name)
    now = state.inputs or (step.reads.read(cache.tree) if step.reads else {})
    if state.reason:
        reason = state.reason
        if step.settled is None:
            reason += f"; none of the {len(now)} things it reads differs from an earlier success"
        return Why(step=name, runs=False, reason=reason, reads=len(now), feeds=feeds)
    last = cache.last(step)
    changed = reading.changed(last.inputs, now) if last else []
    return Why(
        step=name,
        runs=True,
        reason=_reason(step, cache, last is None, len(changed)),
        changed=changed,
        reads=len(now),
        feeds=feeds,
    )


def _reason(step: Step, cache: Cache, never: bool, changes: int) -> str:
    if step.name in cache.forced:
        return FORCED
    if never:
        return NEVER if step.reads else "it is not up"
    if changes:
        return (
            f"{changes} of the things that it reads changed"
            if changes > 1
            else "one of the things that it reads changed"
        )
    if step.settled:
        return OTHERWISE
    return "its last result is too old, or not in the cache any more"


def plan(graph: Graph, names: Iterable[str], cache: Cache) -> list[Why]:
    """Return why each of the steps called NAMES would run, in the order of GRAPH."""
    wanted = set(names)
    return [why(graph, step.name, cache) for step in graph.order() if step.name in wanted]
