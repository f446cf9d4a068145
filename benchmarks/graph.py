"""What the step graph costs beside the work it spares, and a listing of its tasks: `python -m benchmarks.graph`, in the project's root."""

from __future__ import annotations

import hashlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from longshore.cancellation import Cancellation
from longshore.console import Console
from longshore.steps import scheduler
from longshore.steps.cache import Cache
from longshore.steps.graph import Graph, Step
from longshore.steps.tree import Tree

FILES, STEPS = 100_000, 1000


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def listing(folder: Path) -> None:
    """Print the processor time of `invoke --list` here beside Invoke's own on an empty tasks.py in FOLDER, taken in turn."""
    (folder / "tasks.py").write_text("")
    took: dict[Path, list[float]] = {Path.cwd(): [], folder: []}
    for _ in range(15):
        for where, seconds in took.items():
            argv = [sys.executable, "-m", "invoke", "--list"]
            with subprocess.Popen(
                argv, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            seconds.append(usage.ru_utime + usage.ru_stime)
    own, empty = map(statistics.median, took.values())
    print(f"invoke --list: {own:.3f} s, on an empty tasks.py {empty:.3f} s: {own / empty:.2f} times")


def files(folder: Path) -> None:
    """Print what it takes to know the hash of each of FILES files: by reading all, then with the stat cache, cold and warm."""
    names = [f"d{number // 100}/f{number}.py" for number in range(FILES)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    time.sleep(0.1)

    def hashes() -> None:
        tree = Tree(folder, folder / ".longshore", lambda: "\0".join(names))
        tree.hashes(names)
        tree.save()

    read = timed(lambda: [hashlib.sha256((folder / name).read_bytes()).digest() for name in names])
    for text, seconds in ("first", timed(hashes)), ("then", timed(hashes)):
        print(
            f"{FILES} files, {text:<5}: {seconds:5.2f} s, reading all {read:5.2f} s: {seconds / read:4.2f} times"
        )


def steps(folder: Path) -> None:
    """Print what it takes to run STEPS steps that do nothing, beside starting one program, the least a step would cost."""
    graph = Graph([
        Step(name=f"s{n}", title="", needs=(f"s{n - 1}",) if n % 10 else (), run=lambda progress: None)
        for n in range(STEPS)
    ])  # fmt: skip
    cache = Cache(folder=folder / "cache", tree=Tree(folder, folder / "cache"))
    console = Console({}, ci=True, stream=io.StringIO())
    seconds = timed(lambda: scheduler.run(graph, console, cache, Cancellation()))
    started = timed(lambda: subprocess.run(["true"], check=True))
    print(
        f"{STEPS} steps: {seconds / STEPS * 1000:.2f} ms each, {seconds / STEPS / started:.2f} times a started program"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        files(Path(one))
        steps(Path(other))
        listing(Path(other))


if __name__ == "__main__":
    main()
