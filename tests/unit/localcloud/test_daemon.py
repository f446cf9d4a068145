from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from localcloud.daemon import Daemon, birth, marked


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(id="shop-local-3f9a2c", name="registry", run=tmp_path, log=tmp_path / "registry.log")


def test_a_recorded_process_that_lives_is_found(daemon: Daemon) -> None:
    daemon.pid_file.write_text(json.dumps([os.getpid(), birth(os.getpid()), "fingerprint"]))
    assert daemon.pid() == os.getpid()


def test_a_pid_that_somebody_else_has_by_now_is_not_ours(daemon: Daemon) -> None:
    daemon.pid_file.write_text(json.dumps([os.getpid(), "1", "fingerprint"]))
    assert not daemon.alive()
    daemon.stop()  # and is not ended
    assert not daemon.pid_file.exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', '["x", "y", "z"]'])
def test_a_damaged_pid_file_means_no_process(daemon: Daemon, content: str) -> None:
    daemon.pid_file.write_text(content)
    assert not daemon.alive()


def test_no_process_has_ended_when_there_was_none() -> None:
    assert birth(2**22 + 1) == ""
    assert birth(os.getpid()).isdigit()


def test_processes_without_the_mark_are_nobody_s() -> None:
    assert marked("shop-local-nosuch") == []


def test_the_end_of_a_long_log_is_shown(daemon: Daemon) -> None:
    daemon.log.write_text("".join(f"line {number}\n" for number in range(5000)))
    assert daemon.tail(2) == "line 4998\nline 4999"
