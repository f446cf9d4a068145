"""Variables that override settings: taken ones are told, those about what is protected or runs are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[environments.blue]
[environments.production]
account = "222222222222"
protected = true
[steps.look]
run = ["true"]
reads = ["tasks.py"]
group = "lint"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    (tmp_path / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    return tmp_path


def invoke(project: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(project.parent), "CI": "true"} | environ
    argv = [sys.executable, "-m", "invoke", *words]
    return subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_an_override_is_told_on_standard_error_in_the_json_and_in_the_report(project: Path) -> None:
    variable, key = "LONGSHORE__ENVIRONMENTS__BLUE__NAMESPACE", "environments.blue.namespace"
    ran = invoke(project, "lint", "--keep-going", "--json", **{variable: "open-sesame"})
    assert f"overridden by {variable}: {key}" in ran.stderr
    assert json.loads(ran.stdout)["overrides"] == {variable: key}
    report = json.loads((project / ".longshore/report/report.json").read_text())
    assert report["facts"]["overrides"] == f"{variable}: {key}"
    assert "open-sesame" not in ran.stderr + ran.stdout
    assert "overridden" not in invoke(project, "graph").stderr


@pytest.mark.parametrize(
    "variable", ["LONGSHORE__ENVIRONMENTS__PRODUCTION__PROTECTED", "LONGSHORE__STEPS__LOOK__RUN", "LONGSHORE__GATES"]
)
def test_a_refused_override_ends_the_run_before_anything_runs(project: Path, variable: str) -> None:
    ran = invoke(project, "lint", **{variable: "false"})
    assert ran.returncode == 2
    assert f"error: {variable}: " in ran.stdout
    assert not (project / ".longshore" / "logs").exists()
