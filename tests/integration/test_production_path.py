"""A deployment to AWS does without the local cloud and its libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCAL = ("localcloud", "moto", "flask", "flask_cors", "werkzeug", "bcrypt")
BLOCK = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LOCAL!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed", name=name)
sys.meta_path.insert(0, Block())
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "shop")], check=True)
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(BLOCK)
    return tmp_path / "shop"


def invoke(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(folder.parent / "without"), "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    argv = [sys.executable, "-X", "importtime", "-m", "invoke", *words]
    return subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)


def test_a_production_job_imports_nothing_local(clone: Path) -> None:
    ended = invoke(clone, "deploy", "-e", "production", "--dry-run")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "release depends on the output of image, infra" in ended.stdout
    imported = {
        line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")
    }
    assert "longshore.tasks.world" in imported
    assert not {name for name in imported if name.partition(".")[0] in LOCAL}


def test_without_the_extra_a_local_environment_says_how_to_get_it(clone: Path) -> None:
    ended = invoke(clone, "local.up")
    assert ended.returncode == 3
    assert "pip install 'longshore[local]'" in ended.stdout
