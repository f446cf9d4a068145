"""How a run ends: with its terminal, with its reader, by a signal. Real processes, and none is left."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = """
[project]
name = "shop"
[environments.blue]
[steps.slow]
run = ["sh", "-c", "sleep 67.5 & sleep 67.5"]
reads = ["tasks.py"]
group = "lint"
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A project with a step that takes long, and has a child of its own."""
    (tmp_path / "longshore.toml").write_text(SLOW)
    (tmp_path / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def sleepers(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"sleep") and mark.encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_closed_terminal_ends_the_run_and_all_that_it_started(slow: Path) -> None:
    mark = str(uuid.uuid4())
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(slow)
        argv = [sys.executable, "-m", "invoke", "lint", "--keep-going"]
        os.execve(
            sys.executable,
            argv,
            os.environ | {"PYTHONPATH": str(ROOT), "MARK": mark, "CI": "", "TERM": "xterm"},
        )
    until(lambda: len(sleepers(mark)) == 2)
    shown = b""
    while b"slow" not in shown:  # the live view is up, and has more to draw
        shown += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (129, -1)
    until(lambda: sleepers(mark) == [])


def test_nobody_reading_any_more_does_not_end_a_run(slow: Path) -> None:
    (slow / "longshore.toml").write_text(SLOW.replace("sleep 67.5 & sleep 67.5", "sleep 1; touch done"))
    argv = [sys.executable, "-m", "invoke", "lint", "--keep-going"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true"}
    with subprocess.Popen(
        argv, cwd=slow, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        until((slow / "done").exists)


def test_nothing_that_came_through_after_a_signal_looks_like_a_success(slow: Path) -> None:
    (slow / "longshore.toml").write_text(
        SLOW.replace("sleep 67.5 & sleep 67.5", "trap '' TERM; kill -TERM $PPID")
    )
    argv = [sys.executable, "-m", "invoke", "lint", "--keep-going"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true"}
    done = subprocess.run(argv, cwd=slow, env=environ, capture_output=True, check=False, timeout=60)
    assert done.returncode != 0
