"""A signal at any moment of a deployment leaves no process and no lock, and the next run brings the revision live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.processes import descendants, free
from tests.e2e.project import Project

PROMPT = 5.0  # seconds; Terraform has 45, since it must leave its lock

INT, TERM, HUP, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL

# What the command prints before the signal, seconds after that, the signals, the exit code, arguments of the command.
MOMENTS = {
    "before the first step": ("deploying", 0.0, (TERM,), 143, ("--skip-checks",)),
    "in the middle of a gate": ("test-service: ", 1.5, (INT,), 130, ()),
    "a gate, with no chance": ("test-service: ", 1.5, (KILL,), 137, ()),
    "as a build starts": ("image: ", 0.0, (HUP,), 129, ("--skip-checks",)),
    "in the middle of a build": ("image: ", 0.4, (TERM,), 143, ("--skip-checks",)),
    "a build, with no chance": ("image: ", 0.4, (KILL,), 137, ("--skip-checks",)),
    "between build and rollout": ("✔ image", 0.0, (INT,), 130, ("--skip-checks",)),
    "as a rollout starts": ("release: ", 0.0, (INT, INT), 130, ("--skip-checks",)),
    "in the middle of a rollout": ("release: ", 1.0, (TERM,), 143, ("--skip-checks",)),
    "a rollout, with no chance": ("release: ", 1.0, (KILL,), 137, ("--skip-checks",)),
    "in the middle of Terraform": ("infra: ", 2.0, (TERM,), 143, ("--skip-checks", "--force", "infra")),
    "Terraform, with no chance": ("infra: ", 2.0, (KILL,), 137, ("--skip-checks", "--force", "infra")),
}
SLOW = ("a gate, with no chance", "as a build starts", "a build, with no chance")  # test_kills.py has the like


def interrupted(process: subprocess.Popen[str], moment: str) -> float:
    """Send PROCESS the signals of MOMENT, and return when; check its exit code as a shell sees it."""
    word, after, signals, exit_code, _ = MOMENTS[moment]
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            break
    else:
        raise AssertionError(f"it never printed {word!r}: {''.join(seen)}")
    time.sleep(after)
    assert process.poll() is None, "it ended before the signal"
    began = time.monotonic()
    for number in signals:
        os.kill(process.pid, number)
        time.sleep(0.05)
    output = "".join(seen) + process.stdout.read()
    ended = process.wait(timeout=60)
    assert (ended if ended >= 0 else 128 - ended) == exit_code, output
    assert "Traceback" not in output
    return began


@pytest.mark.parametrize(
    "moment", [pytest.param(moment, marks=pytest.mark.slow if moment in SLOW else ()) for moment in MOMENTS]
)
def test_a_signal_leaves_no_process_and_no_lock_and_the_next_run_converges(
    project: Project, moment: str, tmp_path: Path
) -> None:
    words, headline, mark = MOMENTS[moment][4], f"Interrupted {moment}", str(tmp_path)
    with (project.folder / "application" / "templates" / "index.html").open("a") as template:
        template.write(f"<!-- {headline} -->\n")
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", project.name, *words],
        cwd=project.folder,
        env=project.environ | {"TMPDIR": mark},  # every process gets that
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        began = interrupted(process, moment)
    patience = 45.0 if "Terraform" in moment else PROMPT
    while left := descendants(mark):
        assert time.monotonic() - began < patience, left
        time.sleep(0.05)
    assert time.monotonic() - began < patience
    assert free(project)
    revision = project.deploy("--skip-checks").data["revision"]
    # A pod that is ending leaves the node's rules within a second or two; until then it may still answer.
    end = time.monotonic() + PROMPT
    while not (project.version()["revision"] == revision and headline in project.get("/")[2]):
        assert time.monotonic() < end, "the next run did not bring this revision live"
        time.sleep(0.2)
