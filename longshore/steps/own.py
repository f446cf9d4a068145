"""Steps that a project declares for itself, in `[steps.NAME]` of longshore.toml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from longshore.command import change, query
from longshore.errors import BadInput
from longshore.runner import Runner
from longshore.settings import Settings
from longshore.settings_graph import Own
from longshore.steps.graph import Progress, Step
from longshore.steps.inputs import Inputs


def join(
    settings: Settings, runner: Runner, steps: Iterable[Step], *, gates_only: bool = False
) -> tuple[Step, ...]:
    """Return STEPS with the project's own among them; GATES_ONLY leaves out those that no gate's command runs."""
    found = {step.name: step for step in steps}
    for name, table in settings.steps.items():
        if gates_only and not table.group:
            continue
        if name in found:
            raise BadInput(
                f"[steps.{name}] has the name of a step that there is already", hint="choose another name"
            )
        found[name] = _step(name, table, settings, runner, gates_only=gates_only)
        if not gates_only:
            if table.before not in found:
                raise BadInput(
                    f"[steps.{name}] comes before {table.before!r}, which is no step",
                    hint="`invoke graph` shows the steps",
                )
            found[table.before] = replace(found[table.before], needs=(*found[table.before].needs, name))
    return tuple(found.values())


def _step(name: str, table: Own, settings: Settings, runner: Runner, *, gates_only: bool) -> Step:
    describe = change if table.changes else query
    command = describe(*table.run, cwd=settings.root, deadline=table.deadline)

    def run(progress: Progress) -> str:
        result = runner.run(command, on_line=lambda line: progress(line.strip()))
        said = [line.strip() for line in result.tail.splitlines() if line.strip()]
        return said[-1][:100] if said else ""

    tools = (table.run[0], *table.tools)
    reads = Inputs(files=tuple(table.reads), tools=tools, settings={f"steps.{name}.run": table.run})
    return Step(
        name=name, title=table.title or " ".join(table.run)[:60], run=run, needs=() if gates_only else tuple(table.needs),
        reads=None if table.changes or not table.reads else reads, reports=tuple(table.reports), cores=table.cores, group=table.group,
    )  # fmt: skip
