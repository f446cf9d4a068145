"""What every task needs, made once per program run: settings, runner, console; and what becomes of a failure.

Tasks import what they need when they run: `invoke --list` imports every task, and starts no slower than Invoke itself.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from longshore.tasks import beforehand

if TYPE_CHECKING:
    from invoke.exceptions import Exit

    from longshore.errors import Failure
    from longshore.graph import scheduler
    from longshore.graph.cache import Cache
    from longshore.graph.steps import Graph, Progress, Values
    from longshore.process.runner import Runner
    from longshore.settings.model import Settings
    from longshore.snapshot.snapshot import Snapshot
    from longshore.tasks.world import World

Guard = Callable[[], None]
ENVIRONMENT = "an [environments.NAME] of longshore.toml (default: local)"
JSON = "print one JSON document on standard output, everything else on standard error"


class Session:
    """A program run as a context: failures leave it as one sentence, a hint and an exit code."""

    settings: Settings
    runner: Runner

    def __init__(self, *, as_json: bool = False) -> None:
        from longshore.process.cancellation import Cancellation

        self.cancellation = Cancellation()
        self.cancellation.install()  # before all that takes time to load
        from longshore.console.lines import Console
        from longshore.console.terminal import prepare_streams
        from longshore.process.redaction import Redactor, secrets_in
        from longshore.settings import load
        from longshore.settings.host import Host
        from longshore.settings.job import Job

        prepare_streams()
        os.umask(0o022)  # what is private says so itself; nothing else depends on who runs it
        self.as_json = as_json
        self.started = time.monotonic()
        self._environ = load.process_environment()
        job, host = Job.read(self._environ), Host.read(self._environ)
        self.redactor = Redactor(secrets_in(self._environ))
        self.console = Console(
            ci=job.in_ci,
            folds=job.provider,
            dumb=host.dumb_terminal,
            colour=not host.no_color,
            stream=sys.stderr if as_json else sys.stdout,
            clean=self.redactor.text,
        )
        self._data: dict[str, Any] = {}
        self._done: tuple[Graph, scheduler.Report] | None = None
        self._snapshots: dict[tuple[bool, str], Snapshot] = {}
        self._taking = threading.Lock()

    def __enter__(self) -> Self:
        from longshore.errors import Failure, Unexpected, of_system

        try:
            self._prepare()
        except Failure as failure:
            raise self._ended(failure) from None
        except Exception as error:  # noqa: BLE001 (whatever it is, it ends as a sentence)
            raise self._ended(of_system(error) or Unexpected(error)) from None
        return self

    def _prepare(self) -> None:
        from longshore.process import logs, redaction
        from longshore.process.runner import Runner
        from longshore.settings import load

        if self._environ.get("AWS_ROLE_ARN"):
            from longshore.pipeline import identity

            self._token = identity.take_on(self._environ, self.redactor)
        self.redactor.add(*redaction.secrets_in({"": load.read(Path.cwd())}))
        self.settings = load.load(Path.cwd(), self._environ)
        if overrides := self.settings.overrides:  # not on standard output, which may be for a program
            for variable, key in overrides.items():
                print(self.console.fitted(self.console.safe(f"overridden by {variable}: {key}")), file=sys.stderr)
            self.data(overrides=overrides)
        log_dir = logs.folder(self.settings.work / "logs")
        self.runner = Runner(self._environ, log_dir=log_dir, cancellation=self.cancellation, redactor=self.redactor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from invoke.exceptions import Exit

        from longshore.errors import Failure, Unexpected, of_system
        from longshore.graph import scheduler

        self.console.close()
        if isinstance(error, scheduler.StepFailure):
            raise self._ended(error.failure, error.step, error.log) from None
        if isinstance(error, Failure):
            raise self._ended(error) from None
        if failure := of_system(error):
            raise self._ended(failure) from None
        if isinstance(error, Exception) and not isinstance(error, Exit):
            raise self._ended(Unexpected(error)) from None
        if error is None:
            try:  # everything may be done, but whoever sent a signal must not take it for a success
                self.cancellation.release()
                self._report(0)
                if self.as_json:
                    self.publish(_json(self.redactor.data(self._data)))
            except Failure as failure:
                raise self._ended(failure) from None

    def world(self, environment: str, *, ahead: bool = False, commit: str = "", **options: Any) -> World:
        """Return ENVIRONMENT with everything that acts on it, and the sources it gets: the commit, if it is protected.

        COMMIT is another one than HEAD. AHEAD takes the snapshot at once, beside what else is to be prepared, for a
        command that is sure to ask for it. Raises BadInput where the settings have no environment of that name,
        Precondition for a job without a role.
        """
        committed = self.settings.environment(environment).protected
        if ahead:
            beforehand.do(partial(self.snapshot, committed=committed))
        from longshore.tasks.world import World  # while git runs

        sources = partial(self.snapshot, committed=committed, commit=commit)
        world = World(self.settings, environment, self.runner, sources, **options)
        if world.ignored:
            print(self.console.fitted(self.console.safe(f"warning: {world.ignored}")), file=sys.stderr)
            self.data(credentials=world.ignored)
        return world

    def snapshot(self, *, committed: bool = False, commit: str = "") -> Snapshot:
        """Return the snapshot that this run acts on, of the working tree or a commit; every call gets the same."""
        from longshore.snapshot.take import take

        with self._taking:
            if (committed, commit) not in self._snapshots:
                taken = take(self.settings, self.runner, committed=committed, commit=commit)
                self._snapshots[committed, commit] = taken
            return self._snapshots[committed, commit]

    def cache(self, sources: Callable[[], Snapshot], forced: Iterable[str] = ()) -> Cache:
        """Return the results of earlier runs on what SOURCES returns; the steps FORCED run whatever is known."""
        from longshore.graph import bucket
        from longshore.graph.cache import Cache

        return Cache(
            folder=self.settings.work / "cache",
            root=self.settings.root,
            sources=sources,
            warn=self.console.line,
            forced=frozenset(forced),
            limit=self.settings.results.limit << 20,
            key=key.reveal().encode() if (key := self.settings.host.results_key) else b"",
            remote=bucket.of(self.settings, self.console.line, self.cancellation),
        )

    def run(
        self, graph: Graph, sources: Callable[[], Snapshot], *, forced: Iterable[str] = (), keep_going: bool = False
    ) -> scheduler.Report:
        """Run GRAPH on the snapshot that SOURCES returns, and say which of its steps had nothing to do."""
        from longshore.graph.scheduler import Report, Scheduler

        report = Report()
        self._done = (graph, report)
        for line in graph.left_out:
            self.console.line(line)
        try:
            Scheduler(
                graph=graph,
                console=self.console,
                cache=self.cache(sources, forced),
                cancellation=self.cancellation,
                keep_going=keep_going,
                report=report,
                around=beforehand.around(self.runner.step),
            ).run()
            self.console.durations(report.ran, len(report.skipped), sum(report.saved.values()))
        finally:
            self.data(ran=report.ran, skipped=report.skipped, off=graph.off)
        return report

    def work(
        self,
        world: World,
        name: str,
        title: str,
        work: Callable[[Progress], str],
        *,
        needs_of: str = "",
        guard: Guard | None = None,
    ) -> None:
        """Do WORK on the environment as a step called NAME, after what the step NEEDS_OF needs, if GUARD permits it."""
        from longshore.graph.steps import Graph, Result, Step
        from longshore.tasks import catalogue

        needed = catalogue.graph(world, with_checks=False).only(needs_of).steps if needs_of else {}
        needed.pop(needs_of, None)

        def run(progress: Progress, _: Values) -> Result:
            return Result(note=work(progress))

        step = Step(name=name, title=title, run=run, needs=tuple(needed), guard=guard)
        claimed = world.claim(f"infra.{name}") if needs_of else nullcontext()
        with claimed:
            self.run(Graph([*needed.values(), step]), world.sources)

    def data(self, **values: Any) -> None:
        """Add VALUES to the JSON document."""
        self._data |= values

    def publish(self, text: str) -> None:
        """Print TEXT, which the command was asked for, on standard output; nobody has to read it to its end."""
        from longshore.console.terminal import abandon
        from longshore.errors import FileUnusable

        try:
            print(text, flush=True)
        except OSError as problem:
            abandon(sys.stdout)
            if not isinstance(problem, BrokenPipeError):
                hint = "standard output leads to a file that cannot be written"
                raise FileUnusable(f"the result could not be printed: {problem.strerror}", hint=hint) from None

    @property
    def seconds(self) -> float:
        """Wall clock since the task began."""
        return time.monotonic() - self.started

    def _report(self, exit_code: int, failure: Failure | None = None, step: str = "") -> None:
        """Write the report of what was run; a run of steps with nothing to do leaves that of the last one that did."""
        if self._done is None or (self._done[0].steps and not self._done[1].ran and not failure):
            return
        from longshore.tasks import reported

        folder, began = self.settings.work / "report", time.time() - self.seconds
        try:
            reported.write(
                *(folder, *self._done, self.redactor),
                began=began,
                exit_code=exit_code,
                failure=failure,
                step=step,
                data=self._data,
                summary=self.settings.job.summary,
            )
        except OSError as problem:  # a full disk must not hide how the run itself ended
            self.console.line(f"the report could not be written: {problem}")
        except Exception as problem:  # noqa: BLE001 (nor must a mistake of ours)
            self.console.line(f"the report could not be written: {problem!r}; see {self._trace(problem)}")

    def _ended(self, failure: Failure, step: str = "", log: Path | None = None) -> Exit:
        from invoke.exceptions import Exit

        from longshore.errors import Failure, StateUnknown, Unexpected

        if isinstance(failure, Unexpected):
            changed = hasattr(self, "runner") and self.runner.changed
            failure.exit_code = StateUnknown.exit_code if changed else failure.exit_code
            meaning = "something may have changed, see `invoke status`" if changed else "what serves is unchanged"
            failure.hint = f"{meaning}; the traceback is in {self._trace(failure.error)}"
        self._report(failure.exit_code, failure, step)
        self.console.failure(failure, step, log)
        if self.as_json:
            document = {"error": failure.sentence, "hint": failure.hint, "step": step, "exit_code": failure.exit_code}
            with suppress(Failure):  # how the run ended counts for more
                self.publish(_json(self.redactor.data(document | self._data)))
        return Exit(code=failure.exit_code)

    def _trace(self, error: Exception) -> Path:
        from longshore.tasks import unexpected

        log_dir = self.runner.log_dir if hasattr(self, "runner") else None
        return unexpected.write(error, log_dir, self.redactor)


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1, default=str)
