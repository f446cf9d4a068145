"""The runner with real processes: what commands get, and what comes back from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore.errors import CommandFailed, ToolMissing
from longshore.process.command import Command, query
from longshore.process.runner import Runner
from tests.integration.processes import shell, until

SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}  # set by a shell itself


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(dict(os.environ), log_dir=tmp_path / "logs")


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


def test_a_hundred_megabytes_are_streamed_with_bounded_memory(runner: Runner) -> None:
    result = runner.run(query("head", "-c", "100000000", "/dev/zero"))
    assert result.log is not None
    assert result.log.stat().st_size >= 100_000_000
    assert len(result.stdout) == 32 << 20


def test_a_line_of_five_megabytes_is_whole_in_the_log_and_cut_elsewhere(runner: Runner) -> None:
    lines: list[str] = []
    result = runner.run(shell("head -c 5200000 /dev/zero | tr '\\0' x; echo; echo next"), on_line=lines.append)
    assert result.log is not None
    assert result.log.stat().st_size > 5_200_000
    assert lines == [f"{'x' * 2000}… 5.2 MB more, whole in {result.log}", "next"]
    assert result.tail == "\n".join(lines)


def test_what_a_surviving_command_writes_is_read_to_the_last_line(runner: Runner) -> None:
    seen: list[str] = []
    result = runner.run(shell("seq 5; echo last >&2; exit 3", survives=True), on_line=seen.append, check=False)
    assert (result.exit_code, seen) == (3, ["1", "2", "3", "4", "5", "last"])


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
