"""A signal at any moment of a real deployment leaves no process, no lock, and a command that brings the same revision live."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.e2e.project import Project

PROMPT = 5.0  # seconds; Terraform has 45, since it must leave its lock

INT, TERM, HUP, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL

# What the command prints when the signal comes, seconds after that, the signals, the exit code, words that the command gets.
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


def descendants(mark: str) -> list[str]:
    """Return the processes that have MARK in their environment: whatever our command started, in whatever session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:120])
        except OSError:
            continue
    return found


def free(project: Project) -> bool:
    with (project.folder / ".longshore" / "environments" / project.name / "claim").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def interrupted(process: subprocess.Popen[str], moment: str) -> float:
    """Send PROCESS the signals of MOMENT when it comes, and return when that was. It ends as a shell expects it."""
    word, after, signals, exit_code, _ = MOMENTS[moment]
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            break
    else:
        raise AssertionError(f"it never said {word!r}: {''.join(seen)}")
    time.sleep(after)
    assert process.poll() is None, "it had ended before the signal came"
    began = time.monotonic()
    for number in signals:
        os.kill(process.pid, number)
        time.sleep(0.05)
    said = "".join(seen) + process.stdout.read()
    ended = process.wait(timeout=60)
    assert (ended if ended >= 0 else 128 - ended) == exit_code, said
    assert "Traceback" not in said
    return began


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_leaves_no_process_and_no_lock_and_the_next_run_converges(
    project: Project, moment: str
) -> None:
    words, headline, mark = MOMENTS[moment][4], f"Interrupted {moment}", str(uuid.uuid4())
    with (project.folder / "application" / "templates" / "index.html").open("a") as template:
        template.write(f"<!-- {headline} -->\n")
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", project.name, *words], cwd=project.folder,
        env=project.environ | {"LONGSHORE_TEST_MARK": mark}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:  # fmt: skip
        began = interrupted(process, moment)
    patience = 45.0 if "Terraform" in moment else PROMPT
    while left := descendants(mark):
        assert time.monotonic() - began < patience, left
        time.sleep(0.05)
    assert time.monotonic() - began < patience
    assert free(project)
    said = project.deploy("--skip-checks").data
    # A pod that is being ended is taken out of the node's rules within a second or two; until then it may answer.
    end = time.monotonic() + PROMPT
    while not (project.version()["revision"] == said["revision"] and headline in project.get("/")[2]):
        assert time.monotonic() < end, "the next run did not bring this revision live"
        time.sleep(0.2)
