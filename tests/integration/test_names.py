"""Files whose names are no text, or look like options: steps read them, and nobody gets a traceback."""

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
[steps.look]
run = ["sh", "-c", "ls; ls -b data; false"]
reads = ["**"]
group = "lint"
"""
LATIN = os.fsdecode(b"latin-\xe9.svg")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    (tmp_path / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    (tmp_path / "data").mkdir()
    (tmp_path / LATIN).write_text("<svg/>")
    (tmp_path / "-notes.txt").write_text("notes")
    (tmp_path / "data" / "link").symlink_to(LATIN)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    return tmp_path


def invoke(project: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(project.parent), "CI": "true"} | environ
    argv = [sys.executable, "-m", "invoke", *words]
    ran = subprocess.run(argv, cwd=project, env=env, capture_output=True, check=False, timeout=60)
    assert b"Traceback" not in ran.stdout + ran.stderr, (ran.stdout + ran.stderr).decode(errors="replace")
    return ran


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_name_that_is_no_text_fails_no_step_and_is_shown(project: Path, locale: str) -> None:
    failed = invoke(project, "lint", "--keep-going", "--json", LC_ALL=locale)
    assert failed.returncode == 5
    assert (project / ".longshore/report/report.json").exists()
    (project / "longshore.toml").write_text(SETTINGS.replace("false", "true"))
    assert "look" in json.loads(invoke(project, "lint", "--keep-going", "--json", LC_ALL=locale).stdout)["ran"]
    assert "look" in json.loads(invoke(project, "lint", "--keep-going", "--json", LC_ALL=locale).stdout)["skipped"]
    (project / LATIN).write_text("<svg></svg>")
    shown = invoke(project, "explain", "look", "-e", "blue", LC_ALL=locale)
    assert b"one of its inputs changed" in shown.stdout, shown.stdout
    assert b"latin-" in shown.stdout
    assert invoke(project, "explain", "look", "-e", "blue", "--json", LC_ALL=locale).returncode == 0


def test_a_terminal_that_cannot_show_a_character_gets_its_number(project: Path) -> None:
    shown = invoke(project, "lint", "--keep-going", PYTHONIOENCODING="latin-1:strict")
    assert b"\\u2718" in shown.stdout
