"""How close a cold `invoke check` comes to the best these cores can do: `python -m benchmarks.cold`.

No order of the gates is faster than the longest of them, nor than their total CPU time divided by the cores.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from longshore.gates import steps
from longshore.graph.steps import Values
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from longshore.snapshot.take import take


def check() -> tuple[float, float]:
    """Run `invoke check`; return how long it took and how much CPU time its programs used, in seconds."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "invoke", "check"], check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    environ = process_environment()
    settings, runner, cores = load(Path.cwd(), environ), Runner(environ), len(os.sched_getaffinity(0))
    snapshot = take(settings, runner)
    cache = settings.work / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    took, processor = check()
    shutil.rmtree(cache)
    alone = {}
    for step in steps.steps(settings, runner, lambda: snapshot):
        began = time.perf_counter()
        step.run(lambda *_: None, Values())
        alone[step.name] = time.perf_counter() - began
        print(f"{step.name:<16} {alone[step.name]:6.1f} s alone", flush=True)
    longest, shared = max(alone.values()), processor / cores
    print(
        f"one after another {sum(alone.values()):.1f} s; the longest {longest:.1f} s; "
        f"CPU time {processor:.1f} s, {shared:.1f} s on each of {cores} cores"
    )
    print(f"invoke check: {took:.1f} s, {took / max(longest, shared):.2f} times the longer of the two")


if __name__ == "__main__":
    main()
