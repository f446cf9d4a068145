"""What is kept before any task runs is this user's alone, whoever else is on the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore import tasks


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name in ("pycache_prefix", "dont_write_bytecode"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("before", [None, 0o777, 0o755])
def test_the_working_folder_is_private_before_python_keeps_what_it_compiled(
    tmp_path: Path, umask: int, before: int | None
) -> None:
    (tmp_path / "longshore.toml").touch()
    if before:
        (tmp_path / ".longshore").mkdir()
        (tmp_path / ".longshore").chmod(before)
    tasks._keep_compiled(tmp_path)
    Path(str(sys.pycache_prefix)).mkdir(parents=True)
    assert mode(tmp_path / ".longshore") == 0o700
    assert mode(tmp_path / ".longshore" / "cache") == 0o755 & ~umask


def test_a_folder_without_settings_stays_as_it_is(tmp_path: Path, umask: int) -> None:
    tasks._keep_compiled(tmp_path)
    assert not list(tmp_path.iterdir())
    assert os.umask(umask) == umask
