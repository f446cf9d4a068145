"""An application whose pins contradict the toolkit's: its tests run with what it locks, the toolkit on its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.integration.virtualenvs import FILES, PINS, ROOT, SETTINGS, run, write


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Path:
    return write(tmp_path / "shop", FILES)


def made(cache: Path) -> dict[str, float]:
    """When each virtualenv was made."""
    return {path.parent.name: path.stat().st_ctime for path in cache.glob("*/pyvenv.cfg")}


def settings(project: Path, text: str) -> None:
    (project / "longshore.toml").write_text(SETTINGS + text, encoding="utf-8")


NOWHERE = {"UV_OFFLINE": "1", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}


def test_pins_that_contradict_the_toolkits_are_tested_as_they_are_in_one_run(project: Path, cache: Path) -> None:
    assert version("flask").startswith("3."), "the toolkit has another Flask"
    theirs = """run = ["python", "-c", "import flask, sys; print('toolkit', sys.prefix)"]"""
    settings(project, f'[gates.scan]\noff = "elsewhere"\n[gates.lint]\n{theirs}\n')
    code, document, said = run(project, "check")
    assert code == 0, said
    assert {"test-unit", "lint-command"} <= document["ran"].keys()
    assert re.search(r"2 tests, 100% covered; Python 3\.11\.\d+ with requirements.txt and pytest \S+, pytest-cov", said)
    assert f"toolkit {sys.prefix}" in said
    before = made(cache)
    assert len(before) == 1

    # Nothing changed: no step runs; and where it is made to, no package is asked for.
    assert run(project, "test", **NOWHERE)[1]["ran"] == {}
    code, document, said = run(project, "test", "--force", **NOWHERE)
    assert (code, [*document["ran"]]) == (0, ["test-unit"]), said
    assert made(cache) == before

    # Types are those of its own releases, too.
    settings(project, "")
    code, document, said = run(project, "lint", "--keep-going", **NOWHERE)
    assert "types" in document["ran"], said
    assert made(cache) == before
    (project / "longshore.toml").write_text(f'[gates]\nvirtualenv = "ours"\n{SETTINGS}', encoding="utf-8")
    assert run(project, "test")[0] == 5, "in Longshore's own virtualenv there is another Flask"


def test_an_edit_of_the_lock_makes_another_one_and_the_suite_runs_again(project: Path, cache: Path) -> None:
    assert run(project, "test")[0] == 0
    before = made(cache)
    (project / "requirements.txt").write_text(PINS.replace("click==8.0.4", "-r more.txt"), encoding="utf-8")
    (project / "more.txt").write_text("click==8.1.3\n", encoding="utf-8")
    code, document, said = run(project, "test")
    assert (code, document["step"]) == (5, "test-unit"), "the test wants another click"
    assert "1 of 2 tests failed" in said
    assert len(made(cache)) == len(before) + 1
    (project / "more.txt").write_text("click==8.0.4\n", encoding="utf-8")
    code, document, said = run(project, "test")
    assert (code, [*document["ran"]]) == (0, ["test-unit"]), said
    (project / "requirements.txt").write_text(PINS, encoding="utf-8")
    code, document, said = run(project, "test", **NOWHERE)
    assert (code, document["ran"]) == (0, {}), "known from before"


def test_two_runs_at_once_make_one(tmp_path: Path, cache: Path) -> None:
    pins = PINS + "itsdangerous==2.1.2\n"
    folders = [write(tmp_path / name / "shop", FILES | {"requirements.txt": pins}) for name in ("a", "b")]
    before = made(cache)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "invoke", "test"]
    runs = [subprocess.Popen(argv, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) for folder in folders]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert len(made(cache)) == len(before) + 1


def test_one_that_was_not_finished_is_made_again(project: Path, cache: Path) -> None:
    assert run(project, "test")[0] == 0
    for folder in cache.iterdir():
        (folder / "longshore.json").unlink(missing_ok=True) if folder.is_dir() else None
        shutil.rmtree(folder / "lib", ignore_errors=True)
    code, document, said = run(project, "test", "--force")
    assert (code, [*document["ran"]]) == (0, ["test-unit"]), said


@pytest.mark.parametrize(
    ("pins", "more", "code", "sentence"),
    [
        (
            "flask==3.1.0\nwerkzeug==2.2.3\n",
            "",
            5,
            "what requirements.txt pins cannot be installed for the tests of unit",
        ),
        ("flask==2.2.5 --hash=sha256:" + "0" * 64 + "\n", "", 5, "what requirements.txt pins cannot be installed"),
        (PINS, 'python = "3.99"\n', 3, "uv has no Python 3.99 here, and cannot get it"),
        (PINS, 'install = ["dev.txt"]\n', 2, "the settings name dev.txt, which the sources do not have"),
        ("-r gone.txt\n", "", 2, "requirements.txt includes gone.txt, which the sources do not have"),
    ],
)
def test_what_cannot_be_made_is_a_sentence(
    project: Path, cache: Path, pins: str, more: str, code: int, sentence: str
) -> None:
    (project / "requirements.txt").write_text(pins, encoding="utf-8")
    settings(project, more)
    before = made(cache)
    found, document, said = run(project, "test")
    assert (found, document["error"].startswith(sentence)) == (code, True), said
    assert document["hint"]
    assert made(cache) == before, "nothing half-made is left"


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "PIP_INDEX_URL"])
def test_an_index_that_does_not_answer_is_a_sentence(project: Path, cache: Path, tmp_path: Path, variable: str) -> None:
    url = "http://somebody:open-sesame@127.0.0.1:9/simple"  # pragma: allowlist secret
    shell = {variable: url, "UV_HTTP_RETRIES": "0"}
    (project / "requirements.txt").write_text(f"{PINS}blinker==1.8.2\n", encoding="utf-8")
    code, document, said = run(project, "test", **shell, UV_CACHE_DIR=str(tmp_path / "uv"))
    assert code == 3, said
    assert document["error"].endswith("the package index does not answer")
    assert "UV_DEFAULT_INDEX" in document["hint"]
    assert "open-sesame" not in said + json.dumps(document)
