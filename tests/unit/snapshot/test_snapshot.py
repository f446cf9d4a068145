"""The fingerprint changes with what is read, and with nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.sources import snapshot_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app" / "templates").mkdir(parents=True)
    (tmp_path / "app" / "main.py").write_text("one")
    (tmp_path / "app" / "templates" / "page.html").write_text("page")
    (tmp_path / "README.md").write_text("read me")
    return tmp_path


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "app" / "main.py").write_text("two"),
        lambda folder: (folder / "app" / "templates" / "page.html").write_text("other"),
        lambda folder: (folder / "app" / "new.py").write_text(""),
        lambda folder: (folder / "app" / "main.py").rename(folder / "app" / "moved.py"),
        lambda folder: (folder / "app" / "main.py").unlink(),
        lambda folder: (folder / "app" / "main.py").chmod(0o755),
    ],
)
def test_the_fingerprint_changes_with_content_name_and_mode(folder: Path, edit: Callable[[Path], object]) -> None:
    before = snapshot_of(folder).fingerprint(["app"])
    edit(folder)
    assert snapshot_of(folder).fingerprint(["app"]) != before


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "README.md").write_text("other"),
        lambda folder: os.utime(folder / "app" / "main.py", (0, 0)),
    ],
)
def test_the_fingerprint_does_not_change_with_what_is_not_read(folder: Path, edit: Callable[[Path], object]) -> None:
    before = snapshot_of(folder).fingerprint(["app"])
    edit(folder)
    assert snapshot_of(folder).fingerprint(["app"]) == before


def test_values_count_as_inputs(folder: Path) -> None:
    taken = snapshot_of(folder)
    assert taken.fingerprint(["app"], "base@sha256:1") != taken.fingerprint(["app"], "base@sha256:2")
