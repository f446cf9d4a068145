"""A project that tests of one module share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.tasks.shop import FILES, ROOT, SETTINGS


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with these files and settings."""
    root = tmp_path_factory.mktemp("shop")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}\n")
    shutil.copy2(ROOT / ".dockerignore", root)
    shutil.copy2(SETTINGS, root)
    return root
