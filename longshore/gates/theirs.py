"""A gate of the project's own: `[gates.lint] run = […]` stands in place of our checks of that group."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from longshore.errors import GateFailed, ToolMissing
from longshore.files import write_atomically
from longshore.gates.own import variables
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Progress, Result, Step, Values
from longshore.process.command import Command, query
from longshore.process.runner import Runner
from longshore.settings.gates import Gate
from longshore.settings.mistakes import FILE
from longshore.snapshot.snapshot import Snapshot


def step(group: str, gate: Gate, root: Path, runner: Runner, sources: Callable[[], Snapshot]) -> Step:
    """Return the step that runs GATE, of GROUP, where our gates run: on the run's snapshot, whatever lies in ROOT."""
    command = query(*gate.run, takes=tuple(gate.env), deadline=gate.deadline)

    def run(progress: Progress, _: Values) -> Result:
        folder = sources().workspace()
        for name in gate.reports:  # one of an earlier run is no evidence
            for top in (folder, root):
                (top / name).unlink(missing_ok=True)
        try:
            ended = runner.run(within(command, folder), on_line=lambda line: progress(line.strip()))
        except ToolMissing:
            raise _missing(group, gate.run[0]) from None
        finally:
            for name in gate.reports:
                _hand_over(runner, folder, root, name)
        if changed := [name for name in sources().edited() if name not in gate.reports]:
            raise GateFailed(
                f"{Path(gate.run[0]).name} changed {', '.join(changed[:3])}, so what it found is not about the sources",
                hint=f"have it check and not fix, or run `{shlex.join(gate.run)}` yourself and look at what it changed",
            )
        lines = [line.strip() for line in ended.tail.splitlines() if line.strip()]
        return Result(note=lines[-1][:100] if lines else "")

    return Step(
        name=f"{group}-command",
        title=" ".join(gate.run)[:60],
        run=run,
        reads=Inputs(
            files=tuple(gate.reads) or ("**",),
            tools=(gate.run[0], *gate.tools),
            settings={f"gates.{group}.run": gate.run},
            observed=variables(gate.env, runner.environ),
        ),
        reports=tuple(gate.reports),
        cores=1,
        group=group,
    )


def within(command: Command, folder: Path) -> Command:
    """Return COMMAND in FOLDER; a script that is named by its path is the one of the sources."""
    program, *words = command.argv
    return replace(command, cwd=folder, argv=(str(folder / program) if "/" in program else program, *words))


def _missing(group: str, program: str) -> ToolMissing:
    if "/" in program:
        hint = f"`run` under [gates.{group}] in {FILE} names it; git must know it, and that it is executable"
        return ToolMissing(f"{program} is no program among the sources", hint=hint)
    hint = f"`run` under [gates.{group}] in {FILE} names it: install it, in a pipeline's jobs too"
    return ToolMissing(f"{program} is not installed or not on the PATH", hint=hint)


def _hand_over(runner: Runner, folder: Path, root: Path, name: str) -> None:
    """Bring the report called NAME from FOLDER to ROOT, without secrets; a link leads anywhere and is none."""
    report = folder / name
    if report.is_file() and report.resolve() == folder.resolve() / name:
        runner.redactor.file(report)
        write_atomically(root / name, report.read_bytes())
