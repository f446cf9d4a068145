"""The runner with real processes: deadlines, groups, signals, floods, secrets."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.errors import CommandFailed, DeadlineExceeded, Interrupted, Stopped, ToolMissing
from longshore.process.cancellation import Cancellation
from longshore.process.command import Command, Secret, change, query
from longshore.process.runner import Runner

ROOT = Path(__file__).parent.parent.parent
SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}  # set by a shell itself


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(dict(os.environ), log_dir=tmp_path / "logs")


def living(mark: str) -> list[str]:
    """Return the processes whose command line holds MARK, zombies left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in words and state != "Z" and int(entry.name) != os.getpid():
            found.append(words)
    return found


def shell(script: str, **options: object) -> Command:
    return query("sh", "-c", script, **options)


def test_both_streams_reach_the_log_and_only_standard_output_the_result(runner: Runner) -> None:
    result = runner.run(shell("echo out; echo err >&2"))
    assert result.stdout == "out\n"
    assert result.log is not None
    assert set(result.log.read_text().splitlines()) >= {"out", "err"}
    assert result.log.stat().st_mode & 0o077 == 0


def test_a_failure_names_the_program_its_exit_code_and_its_last_lines(runner: Runner) -> None:
    with pytest.raises(CommandFailed) as caught:
        runner.run(shell("seq 100; exit 9"))
    assert "sh failed with exit code 9" in caught.value.sentence
    assert caught.value.detail.splitlines()[-1] == "100"
    assert len(caught.value.detail.splitlines()) == 40


def test_a_missing_program_is_a_missing_precondition(runner: Runner) -> None:
    with pytest.raises(ToolMissing) as caught:
        runner.run(query("no-such-program-here"))
    assert caught.value.exit_code == 3


def test_arguments_never_reach_a_shell(runner: Runner, tmp_path: Path) -> None:
    trap = f"$(touch {tmp_path}/pwned);`touch {tmp_path}/pwned`;x"
    assert runner.run(query("printf", "%s", trap)).stdout == trap
    assert not (tmp_path / "pwned").exists()


def test_a_name_that_is_not_utf8_is_passed_on_as_it_is(runner: Runner, tmp_path: Path) -> None:
    name = os.fsdecode(b"latin-\xe9 \xff")
    (tmp_path / name).mkdir()
    command = query("ls", "--", name, str(tmp_path / name), env={"NAME": name}, cwd=tmp_path / name, stdin=name)
    result = runner.run(command, check=False)
    assert b"latin-" in result.raw
    assert result.log is not None
    assert b"latin-\xe9 \xff" in result.log.read_bytes()
    assert runner.run(query("printenv", "NAME", env={"NAME": name})).raw == b"latin-\xe9 \xff\n"


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


def test_a_hundred_megabytes_are_streamed_with_bounded_memory(runner: Runner) -> None:
    result = runner.run(query("head", "-c", "100000000", "/dev/zero"))
    assert result.log is not None
    assert result.log.stat().st_size >= 100_000_000
    assert len(result.stdout) == 32 << 20


def test_a_secret_is_in_no_log_result_or_exception(runner: Runner, tmp_path: Path) -> None:
    secret = Secret("open sesame 1234")
    with pytest.raises(CommandFailed) as caught:
        runner.run(
            shell('echo "$PASS"; cat >&2; printf %s "$PASS" | base64; exit 1', env={"PASS": secret}, stdin=secret)
        )
    seen = str(caught.value) + caught.value.detail + "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "sesame" not in seen
    assert "b3BlbiBzZXNhbWUg" not in seen
    assert seen.count("[redacted]") >= 3


@pytest.mark.parametrize("survives", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        "printf 'open ses'; sleep 0.4; printf 'ame 1234'",
        "printf 'open ses'; printf 'ame 1234' >&2",
        "echo 'open ses'; echo '   ame 1234' >&2",
        'printf %s "$PASS$PASS" | base64 -w 8; sleep 0.4; echo done',
        'printf %s "$PASS" | od -An -tx1 | tr -d " "',
    ],
)
def test_a_secret_in_parts_is_in_no_log_line_or_result(
    runner: Runner, tmp_path: Path, script: str, survives: bool
) -> None:
    lines: list[str] = []
    command = shell(script, env={"PASS": Secret("open sesame 1234")}, survives=survives)
    result = runner.run(command, on_line=lines.append)
    logs = [path.read_text().partition("\n")[2] for path in (tmp_path / "logs").iterdir()]
    for shown in ("".join(lines), result.tail, result.stdout, *logs):
        text = "".join(shown.split())
        assert "opensesame1234" not in text
        assert "b3BlbiBzZXNhbWUg" not in text
        assert "6f70656e2073657361" not in text


def test_what_one_command_knows_is_redacted_from_what_all_others_print(runner: Runner) -> None:
    runner.run(shell("true", env={"PASS": Secret("open sesame 1234")}))
    assert runner.run(query("echo", "open sesame 1234")).stdout == "[redacted]\n"
    # Whoever runs a private command asks for a credential, which may be known by now.
    assert runner.run(query("echo", "open sesame 1234", private=True)).stdout == "open sesame 1234\n"


def test_of_a_quiet_command_the_log_has_the_command_and_what_went_wrong(runner: Runner) -> None:
    done = runner.run(query("sh", "-c", "echo all of a file; echo no such file >&2", quiet=True))
    assert done.stdout == "all of a file\n"
    assert done.log
    text = done.log.read_text()
    assert text.startswith("$ sh -c ")
    assert text.partition("\n")[2] == "no such file\n"


def test_a_surviving_command_has_a_private_file_of_its_own_until_it_ends(runner: Runner, tmp_path: Path) -> None:
    secret = Secret("open sesame 1234")
    script = f'echo "$PASS"; stat -c %a {tmp_path}/logs/*.raw {tmp_path}/logs'
    result = runner.run(shell(script, env={"PASS": secret}, survives=True))
    assert result.stdout.split() == ["[redacted]", "600", "700"]
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text().endswith("\n[redacted]\n600\n700\n")


def test_a_line_of_five_megabytes_is_whole_in_the_log_and_cut_elsewhere(runner: Runner) -> None:
    lines: list[str] = []
    result = runner.run(shell("head -c 5200000 /dev/zero | tr '\\0' x; echo; echo next"), on_line=lines.append)
    assert result.log is not None
    assert result.log.stat().st_size > 5_200_000
    assert lines == [f"{'x' * 2000}… 5.2 MB more, whole in {result.log}", "next"]
    assert result.tail == "\n".join(lines)


def test_the_log_of_a_daemon_is_private(runner: Runner, tmp_path: Path) -> None:
    runner.spawn(query("true"), log=tmp_path / "daemon.log")
    assert (tmp_path / "daemon.log").stat().st_mode & 0o777 == 0o600


def test_when_a_sibling_fails_a_query_ends_and_a_change_runs_on(tmp_path: Path) -> None:
    cancellation = Cancellation()
    runner = Runner(dict(os.environ), cancellation=cancellation)
    cancellation.stop()
    with pytest.raises(Stopped):
        runner.run(query("sleep", "30"))
    assert runner.run(change("echo", "done")).stdout == "done\n"


PROGRAM = """
import os, sys
from longshore.errors import Failure
from longshore.process.cancellation import Cancellation
from longshore.process.command import query
from longshore.process.runner import Runner
cancellation = Cancellation(); cancellation.install()
print("ready", flush=True)
try:
    Runner(dict(os.environ), cancellation=cancellation).run(query("sh", "-c", sys.argv[1], deadline=60, grace=30))
except Failure as failure:
    print(failure.sentence); sys.exit(failure.exit_code)
"""


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


def test_what_a_surviving_command_writes_is_read_to_the_last_line(runner: Runner) -> None:
    seen: list[str] = []
    result = runner.run(shell("seq 5; echo last >&2; exit 3", survives=True), on_line=seen.append, check=False)
    assert (result.exit_code, seen) == (3, ["1", "2", "3", "4", "5", "last"])


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


def started_with(mark: str) -> list[int]:
    """Return the processes that have MARK in their environment, in whatever session they are."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_after_a_normal_end_no_watchdog_is_left(tmp_path: Path) -> None:
    mark = str(tmp_path)
    argv = [sys.executable, "-c", PROGRAM, "true"]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "TMPDIR": mark})
    until(lambda: started_with(mark) == [])


def test_a_steps_commands_write_to_one_log(runner: Runner, tmp_path: Path) -> None:
    with runner.step("types") as log:
        first, second = runner.run(query("echo", "one")), runner.run(query("echo", "two"))
    assert log == first.log == second.log == tmp_path / "logs" / "types.log"
    assert log.read_text() == "$ echo one\none\n\n$ echo two\ntwo\n"
    assert runner.run(query("echo", "three")).log != log


def test_a_command_gets_what_any_needs_and_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    needed = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "XDG_CACHE_HOME": "/cache"}
    ambient = {"TF_WORKSPACE": "dev", "PYTEST_ADDOPTS": "-k x", "DATABASE_URL": "secret", "GOPROXY": "https://proxy"}
    runner = Runner({**needed, **ambient})

    def seen(command: Command) -> dict[str, str]:
        lines = runner.run(command).stdout.splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines) if name not in SHELLS_OWN}

    assert seen(query("env")) == needed
    assert seen(query("env", takes=("GO*",), env={"OWN": "1"})) == {**needed, "GOPROXY": "https://proxy", "OWN": "1"}
    runner.spawn(query("sh", "-c", "env; exec 2>&-"), log=tmp_path / "daemon.log")
    until(lambda: "HOME=" in (tmp_path / "daemon.log").read_text())
    assert not any(name in (tmp_path / "daemon.log").read_text() for name in ambient)


def test_no_proxy_is_used_for_this_machine_and_the_environments_own_addresses() -> None:
    runner = Runner({"PATH": os.environ["PATH"], "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": "intranet"})
    runner.direct.add("198.19.0.2")
    hosts = "intranet,localhost,127.0.0.1,::1,198.19.0.2"
    assert runner.run(query("sh", "-c", 'echo "$NO_PROXY $no_proxy"')).stdout == f"{hosts} {hosts}\n"
    assert "NO_PROXY" not in Runner({"PATH": os.environ["PATH"]}).environment(query("env"))
