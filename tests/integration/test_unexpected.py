"""A mistake of ours ends a run with a sentence; the traceback is in a log that only this user can read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = '[project]\nname = "shop"\n[environments.blue]\n'
BROKEN = """
from invoke.collection import Collection
from invoke.tasks import task
from longshore.graph.steps import Graph, Result, Step
from longshore.process.command import change, query
from longshore.tasks.session import Session

def broken(session, command):
    session.runner.run(command)
    raise ZeroDivisionError("division by open-sesame-1234")

def look(session, describe):
    command = describe("true")
    run = lambda progress, values: broken(session, command)
    session.run(Graph([Step(name="look", title="look", run=run)]), session.snapshot)

@task
def reads(context, json=False):
    "Fail in a step that only reads."
    with Session(as_json=json) as session:
        look(session, query)

@task
def changes(context, json=False):
    "Fail in a step that has changed something."
    with Session(as_json=json) as session:
        look(session, change)

@task
def outside(context, json=False):
    "Fail outside of any step."
    with Session(as_json=json) as session:
        broken(session, query("true"))

ns = Collection(reads, changes, outside)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    (tmp_path / "tasks.py").write_text(BROKEN)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    return tmp_path


def invoke(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "CI": "true", "DB_PASSWORD": "open-sesame-1234"}
    argv = [sys.executable, "-m", "invoke", *words]
    return subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("task", "code"), [("reads", 5), ("changes", 7), ("outside", 5)])
def test_an_exception_that_is_no_failure_is_one_sentence_and_a_log(project: Path, task: str, code: int) -> None:
    ran = invoke(project, task)
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert re.search(r"error: .*unexpected ZeroDivisionError: division by \[redacted\]", ran.stdout)
    (path,) = re.findall(r"\S+traceback\.log", ran.stdout)
    log = project / path
    assert log.stat().st_mode & 0o777 == 0o600
    assert "in broken" in log.read_text()
    assert "open-sesame" not in log.read_text() + ran.stdout + ran.stderr
    document = json.loads(invoke(project, task, "--json").stdout)
    assert (document["exit_code"], document["step"]) == (code, "" if task == "outside" else "look")


def test_settings_that_are_no_file_are_bad_input(project: Path) -> None:
    (project / "longshore.toml").unlink()
    (project / "longshore.toml").mkdir()
    ran = invoke(project, "reads")
    assert ran.returncode == 2
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "error: longshore.toml is not a file" in ran.stdout


def test_a_folder_that_cannot_be_written_is_named(project: Path) -> None:
    (project / ".longshore").write_text("in the way")
    ran = invoke(project, "reads")
    assert ran.returncode == 3
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "error: " in ran.stdout
