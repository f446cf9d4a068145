"""The cost of the step graph, a snapshot and `invoke --list`: `python -m benchmarks.graph`, in the project's root."""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from longshore.console.lines import Console
from longshore.graph.cache import Cache
from longshore.graph.scheduler import Scheduler
from longshore.graph.steps import Graph, Result, Step
from longshore.process.cancellation import Cancellation
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from longshore.snapshot.snapshot import Snapshot
from longshore.snapshot.take import take

FILES, STEPS = 100_000, 1000
SETTINGS = '[project]\nname = "files"\n[environments.local.local]\n'


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def listing(folder: Path) -> None:
    """Print the CPU time of `invoke --list` here and, in turn, on an empty tasks.py in FOLDER."""
    (folder / "tasks.py").write_text("")
    took: dict[Path, list[float]] = {Path.cwd(): [], folder: []}
    for _ in range(15):
        for where, seconds in took.items():
            argv = [sys.executable, "-m", "invoke", "--list"]
            with subprocess.Popen(argv, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            seconds.append(usage.ru_utime + usage.ru_stime)
    own, empty = map(statistics.median, took.values())
    print(f"invoke --list: {own:.3f} s, on an empty tasks.py {empty:.3f} s: {own / empty:.2f} times")


def files(folder: Path) -> None:
    """Print how long a snapshot of FILES files takes, beside reading them: the first, then again without a change."""
    names = [f"d{number // 100}/f{number}.py" for number in range(FILES)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / "longshore.toml").write_text(SETTINGS)
    identity = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "longshore.toml"), ("commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    environ = process_environment()
    settings, runner = load(folder, environ), Runner(environ)
    read = timed(lambda: [(folder / name).read_bytes() for name in names])
    for turn in ("first", "again"):
        seconds = timed(lambda: take(settings, runner))
        print(f"{FILES} files, {turn}: {seconds:5.2f} s, reading all {read:5.2f} s: {seconds / read:4.2f} times")


def steps(folder: Path) -> None:
    """Print what STEPS steps that do nothing cost, beside starting one program, the least that a step would cost."""
    graph = Graph(
        [
            Step(name=f"s{n}", title="", needs=(f"s{n - 1}",) if n % 10 else (), run=lambda *_: Result())
            for n in range(STEPS)
        ]
    )

    def nothing() -> Snapshot:
        raise AssertionError("these steps read no files")

    cache = Cache(folder=folder / "cache", root=folder, sources=nothing)
    console = Console(ci=True, stream=io.StringIO())
    run = Scheduler(graph=graph, console=console, cache=cache, cancellation=Cancellation())
    seconds = timed(run.run)
    started = timed(lambda: subprocess.run(["true"], check=True))
    print(
        f"{STEPS} steps: {seconds / STEPS * 1000:.2f} ms each, {seconds / STEPS / started:.2f} times a started program"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as sources, tempfile.TemporaryDirectory() as empty:
        files(Path(sources))
        steps(Path(empty))
        listing(Path(empty))


if __name__ == "__main__":
    main()
