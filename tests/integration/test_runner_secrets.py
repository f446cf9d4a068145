"""What the runner lets nobody read: secrets, in one piece or in parts, and logs of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore.errors import CommandFailed
from longshore.process.command import Secret, query
from longshore.process.runner import Runner
from tests.integration.processes import shell


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(dict(os.environ), log_dir=tmp_path / "logs")


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


def test_a_surviving_command_has_a_private_file_of_its_own_until_it_ends(runner: Runner, tmp_path: Path) -> None:
    secret = Secret("open sesame 1234")
    script = f'echo "$PASS"; stat -c %a {tmp_path}/logs/*.raw {tmp_path}/logs'
    result = runner.run(shell(script, env={"PASS": secret}, survives=True))
    assert result.stdout.split() == ["[redacted]", "600", "700"]
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text().endswith("\n[redacted]\n600\n700\n")


def test_the_log_of_a_daemon_is_private(runner: Runner, tmp_path: Path) -> None:
    runner.spawn(query("true"), log=tmp_path / "daemon.log")
    assert (tmp_path / "daemon.log").stat().st_mode & 0o777 == 0o600
