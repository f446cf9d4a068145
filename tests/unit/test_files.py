"""Files that several processes read, write and lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import LockHeld
from longshore.files import Memory, locked, write_if_changed


def test_only_a_change_is_written(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    assert write_if_changed(path, "one")
    assert not write_if_changed(path, "one")
    assert write_if_changed(path, "two")
    assert path.read_text() == "two"


def test_the_mode_counts_as_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_if_changed(path, "secret")
    assert write_if_changed(path, "secret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    write_if_changed(tmp_path / "file", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_held_lock_is_refused_at_once(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(LockHeld), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        pass


def test_a_held_lock_is_waited_for_until_it_is_free(tmp_path: Path) -> None:
    pauses: list[float] = []
    holder = locked(tmp_path / "lock")
    holder.__enter__()

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            holder.__exit__(None, None, None)

    with locked(tmp_path / "lock", wait):
        assert len(pauses) == 3


def test_waiting_for_a_lock_ends_with_an_exception_of_the_wait(tmp_path: Path) -> None:
    def give_up(_: float) -> None:
        raise KeyboardInterrupt

    with locked(tmp_path / "lock"), pytest.raises(KeyboardInterrupt), locked(tmp_path / "lock", give_up):
        pass


def test_a_memory_with_half_a_surrogate_pair_is_empty(tmp_path: Path) -> None:
    """No program could be told what it says."""
    for record in ('{"\\ud800": 1}', '{"a": ["\\ud800"]}'):
        (tmp_path / "damaged.json").write_text(record)
        assert Memory(tmp_path).get("damaged") == {}
