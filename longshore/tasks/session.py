"""What every task needs, made once per program run: settings, runner, console; and what becomes of a failure."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # each is imported where it is used: `invoke --list` has a budget
    from invoke.exceptions import Exit

    from longshore.errors import Failure
    from longshore.runner import Runner
    from longshore.settings import Settings
    from longshore.steps import scheduler
    from longshore.steps.cache import Cache
    from longshore.steps.graph import Graph

KEPT_LOGS = 20  # program runs


class Opened:
    """A program run as a context: failures leave it as one sentence, a hint and an exit code."""

    def __init__(self, *, as_json: bool = False, dry_run: bool = False) -> None:
        from longshore import settings as configuration
        from longshore.cancellation import Cancellation
        from longshore.console import Console

        self.as_json = as_json
        self.started = time.monotonic()
        environ = configuration.process_environment()
        self.console = Console(environ, ci=environ.get("CI", "") not in ("", "0", "false"), as_json=as_json)
        self.cancellation = Cancellation()
        self.cancellation.install()
        self._root = Path.cwd()
        self._environ = environ
        self._dry_run = dry_run
        self.settings: Settings
        self.runner: Runner
        self._data: dict[str, Any] = {}
        self._done: tuple[Graph, scheduler.Report] | None = None

    def __enter__(self) -> Self:
        from longshore import settings as configuration
        from longshore.errors import Failure
        from longshore.runner import Runner

        try:
            self.settings = configuration.load(self._root, self._environ)
        except Failure as failure:
            raise self._ended(failure) from None
        logs = self.settings.work / "logs"
        folder = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 10**6 % 1000:03}"
        _prune(logs)
        self.runner = Runner(
            self._environ,
            log_dir=folder,
            dry_run=self._dry_run,
            cancellation=self.cancellation,
            announce=self.console.line,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from longshore.errors import DiskFull, Failure
        from longshore.steps import scheduler

        self.console.close()
        if isinstance(error, scheduler.StepFailure):
            raise self._ended(error.failure, error.step, error.log) from None
        if isinstance(error, Failure):
            raise self._ended(error) from None
        if isinstance(error, OSError) and error.errno in (28, 122):
            raise self._ended(DiskFull("the disk is full")) from None
        if error is None:
            try:  # all may be done, but whoever sent a signal must not take it for a success
                self.cancellation.release()
            except Failure as failure:
                raise self._ended(failure) from None
            self._report(0)
            if self.as_json:
                print(_json(self._data))

    def cache(self, forced: Iterable[str] = ()) -> Cache:
        """What was done before, and with what; the steps FORCED run whatever is known."""
        from longshore.steps import bucket, fingerprint
        from longshore.steps.cache import Cache

        tree = fingerprint.tree(self.settings.root, self._listed)
        results = self.settings.results
        return Cache(
            folder=self.settings.work / "cache", tree=tree, warn=self.console.line, forced=frozenset(forced),
            limit=results.limit << 20, remote=bucket.of(self.settings, self.console.line),
        )  # fmt: skip

    def _listed(self) -> str | None:
        from longshore.commands import git

        result = self.runner.run(git.listed(), check=False)
        return result.stdout if result.exit_code == 0 else None

    def run(self, graph: Graph, *, forced: Iterable[str] = (), keep_going: bool = False) -> scheduler.Report:
        """Run GRAPH and say which of its steps had nothing to do."""
        from longshore.steps import scheduler

        report = scheduler.Report()
        self._done = (graph, report)
        try:
            scheduler.run(
                graph,
                self.console,
                self.cache(forced),
                self.cancellation,
                keep_going=keep_going,
                report=report,
                around=self.runner.step,
            )
            self.console.durations(report.ran, len(report.skipped), sum(report.saved.values()))
        finally:
            self.data(ran=report.ran, skipped=report.skipped)
        return report

    def data(self, **values: Any) -> None:
        """Add VALUES to the JSON document."""
        self._data |= values

    @property
    def seconds(self) -> float:
        """Wall clock since the task began."""
        return time.monotonic() - self.started

    def _report(self, exit_code: int, failure: Failure | None = None, step: str = "") -> None:
        """Write the report of what was run; a run that found nothing to do leaves that of the last one that did."""
        if self._done is None or (not self._done[1].ran and not failure):
            return
        from longshore.tasks import reported

        folder, began = self.settings.work / "report", time.time() - self.seconds
        try:
            reported.write(
                folder,
                *self._done,
                began=began,
                exit_code=exit_code,
                failure=failure,
                step=step,
                data=self._data,
            )
        except OSError as problem:  # a full disk must not hide how the run itself ended
            self.console.line(f"the report could not be written: {problem}")

    def _ended(self, failure: Failure, step: str = "", log: Path | None = None) -> Exit:
        from invoke.exceptions import Exit

        from longshore.errors import Interrupted

        self._report(failure.exit_code, failure, step)
        self.console.failure(failure, step, log)
        if self.as_json:
            document = {
                "error": failure.sentence,
                "hint": failure.hint,
                "step": step,
                "exit_code": failure.exit_code,
                **self._data,
            }
            print(_json(document))
        if isinstance(failure, Interrupted):
            sys.stdout.flush()
        return Exit(code=failure.exit_code)


def _json(data: dict[str, Any]) -> str:
    import json

    return json.dumps(data, indent=1, default=str)


def _prune(logs: Path) -> None:
    import shutil

    for old in sorted(logs.glob("*"))[: -KEPT_LOGS or None]:
        shutil.rmtree(old, ignore_errors=True)
