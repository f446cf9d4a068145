"""A small project whose gates are run for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = '[project]\nname = "shop"\n[environments.blue]\n[application]\npath = "."\n'
FILES = {
    "tasks.py": (ROOT / "tasks.py").read_text(encoding="utf-8"),
    "pyproject.toml": '[tool.mypy]\nfiles = ["app.py"]\n[tool.ruff]\nexclude = ["tasks.py"]\n',
    "tests/conftest.py": 'import sys\n\nsys.path.append(".")\n',
    "app.py": "ONE = 1\n",
    "tests/unit/test_app.py": "import app\n\n\ndef test_one() -> None:\n    assert app.ONE == 1\n",
    "requirements/application.txt": "",
    "k8s/a.yaml": "---\na: 1\n",
}


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "-q")
    settings(folder, "")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "One")
    return folder


def settings(project: Path, text: str) -> None:
    (project / "longshore.toml").write_text(SETTINGS + text, encoding="utf-8")


def invoke(project: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the document and what was said."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(project.parent / "state"), "PIP_RETRIES": "0"}
    argv = [sys.executable, "-m", "invoke", *words, "--json"]
    ended = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.returncode, json.loads(ended.stdout), ended.stderr
