"""How a run ends when its terminal closes, its output is closed, or a signal comes; no process is left."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
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
env = ["MARK"]
group = "lint"
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A project with a step that takes long and starts a child process."""
    (tmp_path / "longshore.toml").write_text(SLOW)
    (tmp_path / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True)
    return tmp_path


def sleepers(mark: str) -> list[str]:
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"sleep") and mark.encode() in (entry / "environ").read_bytes():
                pids.append(entry.name)
    return pids


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_closed_terminal_ends_the_run_and_all_its_processes(slow: Path) -> None:
    mark = str(uuid.uuid4())
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(slow)
        argv = [sys.executable, "-m", "invoke", "lint", "--keep-going"]
        os.execve(sys.executable, argv, os.environ | {"PYTHONPATH": str(ROOT), "MARK": mark, "CI": "", "TERM": "xterm"})
    until(lambda: len(sleepers(mark)) == 2)
    shown = b""
    while b"slow" not in shown:  # the live view is up and will be redrawn
        shown += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (129, -1)
    until(lambda: sleepers(mark) == [])


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_ignored_when_the_run_began_does_not_end_it(slow: Path, number: signal.Signals) -> None:
    # As `nohup invoke deploy` does, and a shell without job control for `invoke deploy &`.
    (slow / "longshore.toml").write_text(SLOW.replace("sleep 67.5 & sleep 67.5", "touch begun; sleep 1; touch done"))
    argv = ["sh", "-c", f'trap "" {number}; exec "$@"', "", sys.executable, "-m", "invoke", "lint", "--keep-going"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(argv, cwd=slow, env=environ, text=True, **pipe) as process:
        until((slow / "begun").exists)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert (slow / "done").exists(), output
    assert "✔ slow" in output
    assert "interrupted" not in output


def test_a_run_goes_on_when_its_output_is_closed(slow: Path) -> None:
    (slow / "longshore.toml").write_text(SLOW.replace("sleep 67.5 & sleep 67.5", "sleep 1; touch done"))
    argv = [sys.executable, "-m", "invoke", "lint", "--keep-going"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true"}
    with subprocess.Popen(argv, cwd=slow, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        until((slow / "done").exists)


OUTPUTS = {"closed": ">&-", "all closed": "<&- >&- 2>&-", "full": ">/dev/full", "gone": "| true"}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS.keys())
@pytest.mark.parametrize(
    ("command", "code"), [("graph", 0), ("graph --json", 0), ("explain slow", 0), ("explain nope --json", 2)]
)
def test_no_command_ends_otherwise_for_want_of_a_reader(slow: Path, command: str, code: int, output: str) -> None:
    (slow / "longshore.toml").write_text(SLOW.replace("environments.blue", "environments.local"))
    words = f"set -o pipefail; {sys.executable} -m invoke {command} {output}"
    environ = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"}  # which has no sign for `├`
    done = subprocess.run(["bash", "-c", words], cwd=slow, env=environ, capture_output=True, check=False, timeout=60)
    lost = output == OUTPUTS["full"] and command.startswith("graph")  # what was asked for could not be kept
    assert (done.returncode, b"Traceback" in done.stderr) == (3 if lost else code, False), done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *("deploy --probe abc", "deploy --probe nan", "local.logs --lines -5", "rollback --to x", "serve --port 99999"),
        *("infra.destroy", "infra.destroy --confirm blue"),
    ],
)
def test_bad_input_ends_a_command_before_anything_is_started(slow: Path, command: str) -> None:
    (slow / "longshore.toml").write_text((ROOT / "longshore.toml").read_text())
    argv = [sys.executable, "-m", "invoke", *command.split()]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true"}
    done = subprocess.run(argv, cwd=slow, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, ""), done.stderr
    assert done.stdout.startswith("\nerror: ")


def test_a_folder_that_cannot_be_written_gets_a_sentence(slow: Path) -> None:
    (slow / ".longshore").write_text("")
    argv = [sys.executable, "-m", "invoke", "lint"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=slow, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert ".longshore/.gitignore cannot be used: Not a directory" in done.stdout


def test_a_run_that_a_signal_reached_does_not_look_like_a_success(slow: Path) -> None:
    (slow / "longshore.toml").write_text(SLOW.replace("sleep 67.5 & sleep 67.5", "trap '' TERM; kill -TERM $PPID"))
    argv = [sys.executable, "-m", "invoke", "lint", "--keep-going"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true"}
    done = subprocess.run(argv, cwd=slow, env=environ, capture_output=True, check=False, timeout=60)
    assert done.returncode != 0
