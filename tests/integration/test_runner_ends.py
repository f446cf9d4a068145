"""How the runner's processes end: deadlines, signals, and the end of the runner itself."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from longshore.errors import DeadlineExceeded, Interrupted, Stopped
from longshore.process.cancellation import Cancellation
from longshore.process.command import change, query
from longshore.process.runner import Runner
from tests.integration.processes import PROGRAM, ROOT, living, shell, started_with, until


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(dict(os.environ), log_dir=tmp_path / "logs")


def test_the_deadline_ends_grandchildren_too(runner: Runner) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        runner.run(shell("sleep 61.5 & sleep 61.5", deadline=0.3))
    assert time.monotonic() - began < 30
    assert living("sleep 61.5") == []


def test_a_child_that_ignores_the_request_is_killed_after_its_grace(runner: Runner) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        runner.run(shell("trap '' TERM; sleep 62.5 & sleep 62.5; sleep 62.5", deadline=0.2, grace=0.3))
    assert time.monotonic() - began < 30
    assert living("sleep 62.5") == []


def test_what_a_leader_leaves_that_is_ended_has_the_grace_of_its_command(runner: Runner, tmp_path: Path) -> None:
    # gitlab-ci-local ends at once; a job of it gives back what it holds.
    ready, done = tmp_path / "ready", tmp_path / "done"
    work = f"trap 'sleep 0.5; echo >{done}; exit' TERM; echo >{ready}; sleep 67.5 & wait"
    waits = f"until [ -e {ready} ]; do sleep 0.02; done; exec sleep 67.5"
    leader = f"sh -c {shlex.quote(work)} >/dev/null 2>&1 & {waits}"
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        runner.run(shell(leader, deadline=0.5, grace=20))
    assert done.exists()
    assert time.monotonic() - began < 15, "nobody waits for what has ended"
    assert living("sleep 67.5") == []


def test_a_grandchild_that_holds_the_pipe_does_not_hold_us(runner: Runner) -> None:
    began = time.monotonic()
    assert runner.run(shell("sleep 63.5 & echo started")).stdout == "started\n"
    assert time.monotonic() - began < 30
    assert living("sleep 63.5") == []


def test_nothing_of_a_command_is_left_when_it_returns(runner: Runner) -> None:
    # A process that was sent KILL is there a moment longer, the more so the more there are.
    for _ in range(5):
        runner.run(shell("for n in $(seq 60); do sleep 66.5 & done; echo started"))
        assert living("sleep 66.5") == []


def test_when_a_sibling_fails_a_query_ends_and_a_change_runs_on(tmp_path: Path) -> None:
    cancellation = Cancellation()
    runner = Runner(dict(os.environ), cancellation=cancellation)
    cancellation.stop()
    with pytest.raises(Stopped):
        runner.run(query("sleep", "30"))
    assert runner.run(change("echo", "done")).stdout == "done\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_forwarded_waited_for_and_ends_with_its_exit_code(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    tidy = tmp_path / "tidied"
    script = f"trap 'touch {tidy}; exit 0' TERM; sleep 64.5 & wait"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert "interrupted by" in said
    assert tidy.exists()
    assert living("sleep 64.5") == []


def test_a_command_that_survives_finishes_its_work_when_we_are_killed(tmp_path: Path) -> None:
    script = f"for n in 1 2 3 4 5 6; do echo step $n; sleep 0.2; done; touch {tmp_path}/finished"
    program = PROGRAM.replace("os.environ), ", f"os.environ), log_dir=__import__('pathlib').Path({str(tmp_path)!r}), ")
    program = program.replace("grace=30", "grace=30, survives=True")
    process = subprocess.Popen([sys.executable, "-c", program, script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    process.kill()
    process.communicate()
    time.sleep(2)
    assert (tmp_path / "finished").exists()


def test_a_second_signal_ends_the_grace(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "trap '' TERM INT; sleep 65.5; sleep 65.5"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert living("sleep 65.5") == []


def test_interrupted_is_what_a_cancelled_runner_raises() -> None:
    cancellation = Cancellation()
    cancellation._note(signal.SIGTERM, None)
    with pytest.raises(Interrupted):
        Runner({}, cancellation=cancellation).run(change("true"))


@pytest.mark.parametrize("kind", ["query", "change"])
def test_when_we_are_killed_what_reads_dies_with_its_children_and_what_changes_runs_on(
    kind: str, tmp_path: Path
) -> None:
    started, finished = tmp_path / "started", tmp_path / "finished"
    script = f"(sleep 66.5; true) & touch {started}; sleep 1; touch {finished}; exec sleep 66.5"
    mark = str(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("query", kind), script],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": mark},  # every process gets that
    ) as process:
        until(lambda: len(started_with(mark)) > 2)
        until(started.exists)
        time.sleep(0.3)
        process.kill()
    if kind == "query":
        until(lambda: started_with(mark) == [])
        assert not finished.exists()
    else:
        until(finished.exists)
        for pid in started_with(mark):
            os.kill(pid, signal.SIGKILL)


def test_after_a_normal_end_no_watchdog_is_left(tmp_path: Path) -> None:
    mark = str(tmp_path)
    argv = [sys.executable, "-c", PROGRAM, "true"]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "TMPDIR": mark})
    until(lambda: started_with(mark) == [])
