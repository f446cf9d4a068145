"""A project whose pins contradict the toolkit's, and its commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[application]
path = "."
[environments.blue]
[gates.tests.unit]
paths = ["tests"]
reads = ["*.py", "tests"]
"""
PINS = "flask==2.2.5\nwerkzeug==2.2.3\nclick==8.0.4\n"
FILES = {
    "tasks.py": (ROOT / "tasks.py").read_text(encoding="utf-8"),
    "longshore.toml": SETTINGS,
    "requirements.txt": PINS,
    # Flask 3 has no such hooks any more.
    "app.py": "from flask import Flask\n\napp = Flask(__name__)\nHOOKS = app.before_first_request_funcs\n",
    "pyproject.toml": '[tool.mypy]\nfiles = ["app.py"]\nstrict = true\n',
    "tests/test_app.py": """
import importlib.util
import subprocess
import sys
from importlib.metadata import version

import app


def test_it_runs_with_what_it_locks():
    assert [version(name) for name in ("flask", "werkzeug", "click")] == ["2.2.5", "2.2.3", "8.0.4"]
    assert "Flask 2.2.5" in subprocess.run(["flask", "--version"], capture_output=True, text=True).stdout


def test_nothing_of_the_toolkit_is_there():
    assert not importlib.util.find_spec("msgspec")
""",
}


def run(folder: Path, *words: str, **shell: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the document, and what was said."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state")} | shell
    argv = [sys.executable, "-m", "invoke", *words, "--json"]
    ended = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.returncode, json.loads(ended.stdout), ended.stderr


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)
    return folder
