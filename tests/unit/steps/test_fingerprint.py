"""The fingerprint changes with what is read, and with nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.steps import fingerprint


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "app" / "templates").mkdir(parents=True)
    (tmp_path / "app" / "main.py").write_text("one")
    (tmp_path / "app" / "templates" / "page.html").write_text("page")
    (tmp_path / "README.md").write_text("read me")
    return tmp_path


def cached(tree: Path) -> None:
    (tree / "app" / "__pycache__").mkdir()
    (tree / "app" / "__pycache__" / "main.pyc").write_text("x")


@pytest.mark.parametrize(
    "edit",
    [
        lambda tree: (tree / "app" / "main.py").write_text("two"),
        lambda tree: (tree / "app" / "templates" / "page.html").write_text("other"),
        lambda tree: (tree / "app" / "new.py").write_text(""),
        lambda tree: (tree / "app" / "main.py").rename(tree / "app" / "moved.py"),
        lambda tree: (tree / "app" / "main.py").unlink(),
        lambda tree: (tree / "app" / "main.py").chmod(0o755),
    ],
)
def test_it_changes_with_content_name_and_mode(tree: Path, edit: Callable[[Path], object]) -> None:
    before = fingerprint.of(tree, ["app"])
    edit(tree)
    assert fingerprint.of(tree, ["app"]) != before


@pytest.mark.parametrize(
    "edit",
    [
        lambda tree: (tree / "README.md").write_text("other"),
        lambda tree: os.utime(tree / "app" / "main.py", (0, 0)),
        cached,
    ],
)
def test_it_does_not_change_with_what_is_not_read(tree: Path, edit: Callable[[Path], object]) -> None:
    before = fingerprint.of(tree, ["app"])
    edit(tree)
    assert fingerprint.of(tree, ["app"]) == before


def test_values_count_as_inputs(tree: Path) -> None:
    assert fingerprint.of(tree, ["app"], "base@sha256:1") != fingerprint.of(tree, ["app"], "base@sha256:2")
