"""Steps that a project declares for itself, in `[steps.NAME]` of longshore.toml."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from longshore.errors import BadInput, GateFailed
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Progress, Result, Step, Values
from longshore.process.command import change, query
from longshore.process.runner import Runner
from longshore.settings.gates import Own
from longshore.settings.model import Settings
from longshore.snapshot.snapshot import Snapshot
from longshore.snapshot.take import take


def join(
    settings: Settings,
    runner: Runner,
    sources: Callable[[], Snapshot],
    steps: Iterable[Step],
    *,
    gates_only: bool = False,
) -> tuple[Step, ...]:
    """Return STEPS with the project's own among them; GATES_ONLY leaves out those that no gate's command runs."""
    joined = {step.name: step for step in steps}
    for name, table in settings.steps.items():
        if gates_only and not table.group:
            continue
        if name in joined:
            raise BadInput(f"[steps.{name}] has the name of a built-in step", hint="choose another name")
        joined[name] = _step(name, table, settings, runner, sources, gates_only=gates_only)
        if not gates_only:
            if table.before not in joined:
                raise BadInput(
                    f"[steps.{name}] comes before {table.before!r}, which is not a step",
                    hint="`invoke graph` shows the steps",
                )
            joined[table.before] = replace(joined[table.before], needs=(*joined[table.before].needs, name))
    return tuple(joined.values())


def variables(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return what tells one value of the variables called NAMES from another, but not the value: it may be secret."""
    return {
        f"variable {name}": hashlib.sha256(f"{name}\0{environ[name]}".encode(errors="surrogateescape")).hexdigest()[:12]
        if name in environ
        else "not set"
        for name in names
    }


def _step(
    name: str, table: Own, settings: Settings, runner: Runner, sources: Callable[[], Snapshot], *, gates_only: bool
) -> Step:
    # In the working tree, since it may need what git ignores, such as node_modules.
    describe = change if table.changes else query
    command = describe(*table.run, cwd=settings.root, takes=tuple(table.env), deadline=table.deadline)
    patterns = tuple(table.reads) or ("**",)

    def compare() -> None:
        """Raise GateFailed where the step would examine, or has examined, something else than the run's snapshot."""
        wanted, now = sources(), take(settings, runner)
        if wanted.fingerprint(patterns) != now.fingerprint(patterns):
            names = {*wanted.match(patterns), *now.match(patterns)}
            moved = sorted(name for name in names if wanted.entries.get(name) != now.entries.get(name))
            raise GateFailed(
                f"{', '.join(moved[:3])} in the working tree differ from what is deployed",
                hint="run the same command again; for a protected environment, commit or stash your work first",
            )

    def run(progress: Progress, _: Values) -> Result:
        if not table.changes:
            compare()
        ended = runner.run(command, on_line=lambda line: progress(line.strip()))
        if not table.changes:
            compare()
        lines = [line.strip() for line in ended.tail.splitlines() if line.strip()]
        return Result(note=lines[-1][:100] if lines else "")

    reads = Inputs(
        files=tuple(table.reads),
        tools=(table.run[0], *table.tools),
        settings={f"steps.{name}.run": table.run},
        observed=variables(table.env, runner.environ),
    )
    return Step(
        name=name,
        title=table.title or " ".join(table.run)[:60],
        run=run,
        needs=() if gates_only else tuple(table.needs),
        reads=None if table.changes or not table.reads else reads,
        reports=tuple(table.reports),
        cores=table.cores,
        group=table.group,
    )
