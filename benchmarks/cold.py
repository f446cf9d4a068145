"""How near `invoke check` comes to what these cores can do when nothing is known yet: `python -m benchmarks.cold`.

No order of the gates is faster than the longest of them alone, nor than their processor time shared by all cores.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from longshore.runner import Runner
from longshore.settings import load, process_environment
from longshore.steps import checks


def check() -> tuple[float, float]:
    """Run `invoke check`; return the seconds it took, and the processor time of all its programs."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "invoke", "check"], check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    settings, cores = load(Path.cwd(), process_environment()), len(os.sched_getaffinity(0))
    forgotten = settings.work / "cache"
    shutil.rmtree(forgotten, ignore_errors=True)
    took, processor = check()
    shutil.rmtree(forgotten)
    alone = {}
    for step in checks.steps(settings, Runner(settings.environ)):
        began = time.perf_counter()
        step.run(lambda _: None)
        alone[step.name] = time.perf_counter() - began
        print(f"{step.name:<16} {alone[step.name]:6.1f} s alone", flush=True)
    longest, shared = max(alone.values()), processor / cores
    print(
        f"one after the other {sum(alone.values()):.1f} s; the longest {longest:.1f} s; "
        f"processor time {processor:.1f} s, on {cores} cores {shared:.1f} s"
    )
    print(f"invoke check: {took:.1f} s, {took / max(longest, shared):.2f} times the longer of the two")


if __name__ == "__main__":
    main()
