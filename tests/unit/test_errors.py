"""What the system refuses, as failures that a user can act on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from longshore.errors import CommandFailed, DiskFull, FileUnusable, of_system


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP])
def test_a_file_that_cannot_be_used_is_named(number: int) -> None:
    failure = of_system(OSError(number, os.strerror(number), "/project/.longshore/cache"))
    assert isinstance(failure, FileUnusable)
    assert failure.exit_code == 3
    assert failure.sentence == f"/project/.longshore/cache cannot be used: {os.strerror(number)}"


def test_a_full_disk_is_one_whatever_was_written() -> None:
    assert isinstance(of_system(OSError(errno.ENOSPC, "No space left on device")), DiskFull)


def test_a_fault_of_our_own_stays_one(tmp_path: Path) -> None:
    assert of_system(OSError(errno.EBADF, "Bad file descriptor")) is None
    assert of_system(FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path))) is None
    assert of_system(KeyError("x")) is None
    assert of_system(None) is None


@pytest.mark.parametrize(
    ("code", "how"), [(1, "failed with exit code 1"), (-9, "was killed by SIGKILL"), (-40, "was killed by signal 40")]
)
def test_how_a_program_ended_is_said_in_words(code: int, how: str) -> None:
    failure = CommandFailed("terraform", code, log="/logs/infra.log")
    assert failure.sentence == f"terraform {how}; its output is in /logs/infra.log"


def test_a_program_that_the_system_killed_has_a_hint_about_memory() -> None:
    assert "memory" in CommandFailed("terraform", -9).hint
    assert CommandFailed("terraform", -9, hint="look there").hint == "look there"
    assert "memory" not in CommandFailed("terraform", -15).hint + CommandFailed("terraform", 9).hint
