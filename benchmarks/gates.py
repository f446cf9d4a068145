"""`invoke lint` beside a shell script, make and go-task that run the same programs: `python -m benchmarks.gates`.

The script runs everything each time. make compares times of files, go-task their checksums; both get the list of
files that each step reads.
"""

from __future__ import annotations

import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks import peers
from longshore.gates import steps
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from longshore.settings.model import Settings
from longshore.snapshot.take import take

ROUNDS = 5
EDITED = "application/pages.py"


def recorded(settings: Settings) -> dict[str, list[str]]:
    """Run the group `lint` in full, and return the command lines of each step from its log."""
    subprocess.run([sys.executable, "-m", "invoke", "lint", "--force", "lint"], check=True, capture_output=True)
    logs, names = max((settings.work / "logs").iterdir()), files(settings)
    return {
        log.stem: [line[2:] for line in log.read_text().splitlines() if line.startswith("$ ")]
        for log in logs.glob("*.log")
        if log.stem in names  # the others are what Longshore asked git
    }


def files(settings: Settings) -> dict[str, list[str]]:
    """Return the files that each step of the group `lint` reads."""
    runner = Runner(process_environment())
    snapshot = take(settings, runner)
    return {
        step.name: snapshot.match(step.reads.files)
        for step in steps.steps(settings, runner, lambda: snapshot)
        if step.group == "lint" and step.reads
    }


def write(folder: Path, lines: dict[str, list[str]], reads: dict[str, list[str]]) -> dict[str, list[str]]:
    """Write script, Makefile and Taskfile into FOLDER; return how each is called."""
    script, makefile, taskfile = folder / "lint.sh", folder / "Makefile", folder / "Taskfile.yml"
    script.write_text("set -e\n" + "".join(f"{line}\n" for step in lines.values() for line in step))
    rules = [f"all: {' '.join(f'{folder}/{name}.done' for name in lines)}\n"]
    tasks: dict[str, object] = {"all": {"deps": list(lines)}}
    for name, step in lines.items():
        recipe = "".join(f"\t@{line.replace('$', '$$')}\n" for line in step)
        rules.append(f"{folder}/{name}.done: {' '.join(reads[name])}\n{recipe}\t@touch $@\n")
        sources = [str(Path.cwd() / file) for file in reads[name]]
        tasks[name] = {"dir": str(Path.cwd()), "cmds": step, "sources": sources, "method": "checksum"}
    makefile.write_text("\n".join(rules))
    taskfile.write_text(yaml.safe_dump({"version": "3", "silent": True, "tasks": tasks}))
    return {"script": ["bash", str(script)], "make": ["make", "-s", "-j2", "-f", str(makefile), "all"]}


def timed(argv: list[str]) -> float:
    began = time.perf_counter()
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{shlex.join(argv)}\n{ran.stdout}\n{ran.stderr}"
    return time.perf_counter() - began


def row(what: str, calls: dict[str, list[str]], before: Callable[[str], None], rounds: int) -> None:
    """Print the median of ROUNDS calls of each; BEFORE is called with the name ahead of each."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, argv in calls.items():
            before(name)
            seconds[name].append(timed(argv))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    best = min(value for name, value in medians.items() if name != "invoke")
    columns = "  ".join(f"{name} {value:6.2f} s" for name, value in medians.items())
    print(f"{what:<26} {columns}  invoke is {medians['invoke'] / best:.2f} times the fastest other", flush=True)


def main() -> None:
    settings = load(Path.cwd(), process_environment())
    task = peers.program(settings, peers.TASK)
    edited = settings.root / EDITED
    text = edited.read_text()
    versions = [text, f"{text}\n\n# another version\n"]
    with tempfile.TemporaryDirectory() as name:
        lines = recorded(settings)
        calls = write(Path(name), lines, files(settings))
        calls |= {
            "task": [task, "--taskfile", f"{name}/Taskfile.yml", "all"],
            "invoke": [sys.executable, "-m", "invoke", "lint"],
        }
        turns = dict.fromkeys(calls, 0)

        def edit(name: str) -> None:
            turns[name] += 1
            edited.write_text(f"{text}\n\n# version {name} {turns[name]} {time.time()}\n")

        def back_and_forth(name: str) -> None:
            turns[name] += 1
            edited.write_text(versions[turns[name] % 2])

        try:
            row("one module edited", calls, edit, 3)
            for version in versions:  # so that each knows both
                edited.write_text(version)
                for argv in calls.values():
                    timed(argv)
            row("back to earlier sources", calls, back_and_forth, 4)
            edited.write_text(text)
            for argv in calls.values():
                timed(argv)
            row("nothing changed", calls, lambda name: None, ROUNDS)
            row("touched, not changed", calls, lambda name: edited.touch(), ROUNDS)
        finally:
            edited.write_text(text)


if __name__ == "__main__":
    main()
