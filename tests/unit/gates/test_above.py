"""Which configuration pytest is told to go by: the one that it would find if nothing lay above the sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.gates import above
from longshore.gates.defaults import PYTEST

PLAIN = "[project]\nname = 'shop'\n"


def words(folder: Path, files: dict[str, str], *paths: str) -> list[str]:
    """What pytest is told, with FOLDER left out of it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [word.replace(f"{folder}", "") for word in above.left_out(folder, paths)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", ""),
        ("tests/.pytest.ini", ""),
        ("backend/pytest.toml", ""),
        ("backend/tox.ini", "[tox]\n[pytest]\n"),
        ("setup.cfg", "[metadata]\n[tool:pytest]\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\n"),
        ("pyproject.toml", "[tool]\npytest = {ini_options = {}}\n"),
        ("pyproject.toml", "[[broken\n"),
    ],
)
def test_a_project_that_configures_pytest_is_left_to_pytest(tmp_path: Path, name: str, text: str) -> None:
    paths = ("backend/tests", "tests/test_a.py::test_one")
    files = {"backend/tests/test_b.py": "", "tests/test_a.py": "", "backend/pyproject.toml": PLAIN, name: text}
    assert words(tmp_path, files, *paths) == []


def test_what_describes_the_project_counts_as_it_does_to_pytest(tmp_path: Path) -> None:
    files = {"backend/tests/test_b.py": "", "backend/setup.py": "", "tox.ini": "[tox]\n", "setup.cfg": "[flake8]\n"}
    own = ["-c", str(PYTEST)]
    assert words(tmp_path, files, "backend/tests") == [*own, "--rootdir=/backend", "--confcutdir=/backend"]
    assert words(tmp_path, {"pyproject.toml": PLAIN}, "backend/tests") == ["-c", "/pyproject.toml"]
    assert words(tmp_path, {"backend/pyproject.toml": PLAIN}, "backend/tests") == ["-c", "/backend/pyproject.toml"]


def test_a_configuration_above_the_sources_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    sources = tmp_path / "sources"
    own = ["-c", str(PYTEST), "--rootdir=", "--confcutdir="]
    assert words(sources, {"tests/a/test_a.py": "", "tests/b/test_b.py": ""}, "tests/a", "tests/b") == own
    assert words(sources, {}, ".") == own
