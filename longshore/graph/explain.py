"""Why a step would run, or would not: what it reads, compared with what it read when it last succeeded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict

from longshore.graph import inputs as reading
from longshore.graph.cache import Cache
from longshore.graph.steps import Graph, Step, Values

NEVER = "it has not succeeded here yet"
FORCED = "--force"
DRIFTED = "inputs unchanged, but the environment has drifted"
SHOWN = 20  # changed inputs


class Why(Struct, frozen=True, kw_only=True):
    """Whether STEP runs, the reason, and the inputs that changed since its last success: name, old, new.

    `after` are steps that run first and whose output decides; `feeds` are steps that run again if this one's output
    changes.
    """

    step: str
    runs: bool
    reason: str
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    reads: int = 0
    after: list[str] = field(default_factory=list)
    feeds: list[str] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """Return it for programs."""
        changed = [{"input": name, "old": old, "new": new} for name, old, new in self.changed]
        return asdict(self) | {"changed": changed}

    def lines(self) -> list[str]:
        """Return it for a person."""
        if self.after:
            return [f"{self.step} {self.reason}"]
        lines = [f"{self.step} {'would run' if self.runs else 'is up to date'}: {self.reason}"]
        width = min(48, max((len(name) for name, _, _ in self.changed), default=0))
        for name, old, new in self.changed[:SHOWN]:
            before, now = (reading.shown(value) if value else "(absent)" for value in (old, new))
            lines.append(f"  {name:<{width}}  {before} → {now}")
        if len(self.changed) > SHOWN:
            lines.append(f"  and {len(self.changed) - SHOWN} more; --json lists them all")
        if self.runs and self.feeds:
            lines.append(f"next: {', '.join(self.feeds)}, if its output changes")
        return lines


def explain(graph: Graph, names: Iterable[str], cache: Cache) -> list[Why]:
    """Return why each of the steps called NAMES would run, in the order of GRAPH. Nothing is run."""
    wanted, values = set(names), Values()
    needed = graph.only(*wanted) if wanted else graph
    reasons = [_why(graph, step, cache, values) for step in needed.order()]
    return [reason for reason in reasons if reason.step in wanted]


def _why(graph: Graph, step: Step, cache: Cache, values: Values) -> Why:
    """Return why STEP would run; where it would not, VALUES has its value afterwards."""
    feeds = graph.fed_by(step.name)
    waits = [name for name in (step.reads.outputs if step.reads else ()) if not values.known(name)]
    if waits:
        reason = (
            f"depends on the output of {', '.join(waits)}; decided after {'they have' if waits[1:] else 'that has'} run"
        )
        return Why(step=step.name, runs=False, reason=reason, after=waits, feeds=feeds)
    state = cache.look(step, values)
    inputs = state.inputs or cache.inputs(step, values)
    if state.reason:
        values.put(step.name, state.value)
        reason = state.reason
        if step.settled is None:
            reason += f"; none of its {len(inputs)} inputs has changed since an earlier success"
        return Why(step=step.name, runs=False, reason=reason, reads=len(inputs), feeds=feeds)
    last = cache.last(step)
    changed = reading.changed(last.inputs, inputs) if last else []
    reason = _reason(step, cache, never=last is None, changes=len(changed))
    return Why(step=step.name, runs=True, reason=reason, changed=changed, reads=len(inputs), feeds=feeds)


def _reason(step: Step, cache: Cache, *, never: bool, changes: int) -> str:
    if step.name in cache.forced:
        return FORCED
    if never:
        return NEVER if step.reads else "it is not running"
    if changes:
        return f"{changes} of its inputs changed" if changes > 1 else "one of its inputs changed"
    if step.settled:
        return DRIFTED
    return "its last result has expired or left the cache"
