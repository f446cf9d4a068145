"""`invoke lint` beside a shell script, make and go-task that run the same programs on the same files: `python -m benchmarks.gates`.

The script runs everything each time. make compares times of files, go-task their checksums; each was told the same files.
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
from longshore.commands import git
from longshore.runner import Runner
from longshore.settings import Settings, load, process_environment
from longshore.steps import checks
from longshore.steps.tree import Tree

ROUNDS = 5
EDITED = "application/pages.py"


def recorded(settings: Settings) -> dict[str, list[str]]:
    """Run the group `lint` in full, and return the command lines of each step from its log."""
    subprocess.run(
        [sys.executable, "-m", "invoke", "lint", "--force", "lint"], check=True, capture_output=True
    )
    logs, names = max((settings.work / "logs").iterdir()), files(settings)
    return {
        log.stem: [line[2:] for line in log.read_text().splitlines() if line.startswith("$ ")]
        for log in logs.glob("*.log")
        if log.stem in names  # others are of what Longshore asked git for
    }


def files(settings: Settings) -> dict[str, list[str]]:
    """Return which files each step of the group reads; one that could be there and is not, the others cannot be told of."""
    runner = Runner(settings.environ)
    tree = Tree(settings.root, settings.work, lambda: runner.run(git.listed()).stdout)
    steps = [step for step in checks.steps(settings, runner) if step.group == "lint" and step.reads]
    found = {
        step.name: tree.match(step.reads.files, ignored=step.reads.ignored) for step in steps if step.reads
    }
    return {
        name: [file for file in reads if (settings.root / file).exists()] for name, reads in found.items()
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
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, argv in calls.items():
            before(name)
            found[name].append(timed(argv))
    medians = {name: statistics.median(values) for name, values in found.items()}
    best = min(value for name, value in medians.items() if name != "invoke")
    told = "  ".join(f"{name} {value:6.2f} s" for name, value in medians.items())
    print(f"{what:<26} {told}  invoke is {medians['invoke'] / best:.2f} times the fastest other", flush=True)


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
            for version in versions:  # each has seen both
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
