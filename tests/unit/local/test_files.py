from __future__ import annotations

from pathlib import Path

from longshore.local.files import write


def test_only_a_change_is_written(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    assert write(path, "one")
    assert not write(path, "one")
    assert write(path, "two")
    assert path.read_text() == "two"


def test_the_mode_counts_as_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write(path, "secret")
    assert write(path, "secret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_draft_is_left(tmp_path: Path) -> None:
    write(tmp_path / "file", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
