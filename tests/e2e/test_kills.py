"""Runs that are killed at random moments, and many that start at once: nothing is lost, doubled, left or stuck."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.processes import descendants, free
from tests.e2e.project import Project

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST = 8.0  # seconds until the signal: a release takes less
COMMANDS = {
    "deploy": ("deploy", "--skip-checks"),
    "rollback": ("rollback",),
    "apply": ("deploy", "--skip-checks", "--force", "infra"),
    "up": ("local.up",),
}
PATIENCE = 60.0  # seconds for Terraform, which must leave its lock, and for what a kill left running


def start(project: Project, *words: str, mark: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *words, "-e", project.name],
        cwd=project.folder,
        env=project.environ | {"TMPDIR": str(mark)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def converge(project: Project) -> str:
    """Deploy until it works; Terraform may hold its lock for a while after a kill. Return the digest."""
    end = time.monotonic() + 2 * PATIENCE
    while (ran := project.ship()).exit_code != 0:
        assert ran.exit_code == 4, f"{ran.exit_code}: {ran.err[-2000:]}"
        assert time.monotonic() < end, ran.err
        time.sleep(1)
    return str(ran.data["digest"])


@pytest.mark.parametrize("kills", [6, pytest.param(250, marks=pytest.mark.slow)])
def test_after_a_kill_at_any_moment_the_next_run_converges(project: Project, kills: int, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # to repeat a round that failed
    chance = random.Random(seed)
    project.deploy("--skip-checks")
    known = {release["number"] for release in project.releases()}
    ends: dict[str, int] = {}
    for number in range(kills):
        name, wanted = chance.choice(list(COMMANDS)), chance.choice(SIGNALS)
        delay = chance.uniform(0.0, LONGEST)
        told = f"kill {number}: {name}, {wanted.name} after {delay:.2f} s (seed {seed})"
        mark = tmp_path / str(number)
        mark.mkdir()
        project.change(f"{seed} {number}")
        if name == "up":
            project.invoke("local.down", "-e", project.name)
        with start(project, *COMMANDS[name], mark=mark) as process:
            try:
                process.wait(timeout=delay)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, wanted)
            output, _ = process.communicate(timeout=PATIENCE)
        key = f"{name} {'ended by itself' if process.returncode >= 0 and process.returncode < 128 else wanted.name}"
        ends[key] = ends.get(key, 0) + 1
        assert "Traceback" not in output, f"{told}\n{output}"
        end = time.monotonic() + PATIENCE
        while left := descendants(str(mark)):
            if name == "up" or all("/run/longshore" in line or "localcloud" in line for line in left):
                break  # the environment's own daemons are meant to stay
            assert time.monotonic() < end, f"{told}\nleft: {left}"
            time.sleep(0.1)
        assert free(project), told
        if wanted is not signal.SIGKILL:
            assert list(mark.iterdir()) == [], f"{told}: files are left"
        digest = converge(project)
        numbers = [release["number"] for release in project.releases()]
        assert numbers == sorted(set(numbers), reverse=True), f"{told}: {numbers}"
        assert numbers[0] > max(known) or known == set(numbers), told
        known = set(numbers)
        until = time.monotonic() + 5  # an old pod may answer until the node's rules have forgotten it
        while project.version()["digest"] != digest:
            assert time.monotonic() < until, f"{told}: the digest of the last deploy does not serve"
            time.sleep(0.2)
    print(f"{kills} kills: {ends}")


def test_of_twenty_deploys_at_once_one_releases_and_the_others_are_told(project: Project, tmp_path: Path) -> None:
    project.deploy("--skip-checks")
    before = project.releases()[0]["number"]
    project.change("twenty at once")
    runs = [start(project, "deploy", "--skip-checks", mark=tmp_path) for _ in range(20)]
    outputs = [run.communicate(timeout=300)[0] for run in runs]
    codes = [run.returncode for run in runs]
    assert set(codes) == {0, 4}, [
        output for run, output in zip(runs, outputs, strict=True) if run.returncode not in (0, 4)
    ]
    assert all(
        "is being changed by `invoke deploy`" in output for output, code in zip(outputs, codes, strict=True) if code
    )
    assert [release["number"] for release in project.releases()][:2] == [before + 1, before], "one release, not twenty"
    assert free(project)
