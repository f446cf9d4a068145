"""Which file says what an application depends on, and where in the repository that lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.settings.project import Application
from longshore.snapshot import dependencies
from tests.unit.sources import snapshot_of, written

APP = Application(path=".")
PROJECT = '[project]\nname = "shop"\ndependencies = ["flask"]\n'


def test_the_file_that_the_settings_name_comes_first_and_then_the_locks(tmp_path: Path) -> None:
    files = {"requirements.txt": "", "poetry.lock": "", "uv.lock": "", "reqs/web.txt": ""}
    snapshot = written(tmp_path, files)
    assert dependencies.find(Application(requirements="reqs/web.txt"), snapshot) == "reqs/web.txt"
    assert dependencies.find(APP, snapshot) == "uv.lock"
    (tmp_path / "uv.lock").unlink()
    (tmp_path / "poetry.lock").unlink()
    assert dependencies.find(APP, snapshot_of(tmp_path)) == "requirements.txt"
    assert dependencies.find(Application(requirements="a.txt"), written(tmp_path / "empty", {})) == ""


@pytest.mark.parametrize("name", ["production", "prod", "base", "requirements"])
def test_requirements_in_their_folder_are_found_where_nothing_else_is(tmp_path: Path, name: str) -> None:
    files = {f"requirements/{name}.txt": "", "requirements/dev.txt": "", "requirements/a.txt": ""}
    assert dependencies.find(APP, written(tmp_path, files)) == f"requirements/{name}.txt"
    assert f"requirements/{name}.txt" in dependencies.files(APP, written(tmp_path, files))
    files["requirements.txt"] = ""
    assert dependencies.find(APP, written(tmp_path, files)) == "requirements.txt"


@pytest.mark.parametrize(
    ("files", "path", "lock"),
    [
        (("backend/uv.lock", "backend/requirements.txt"), ".", "backend/uv.lock"),
        (("backend/uv.lock", "worker/uv.lock"), ".", ""),
        (("backend/uv.lock", "worker/uv.lock"), "worker", "worker/uv.lock"),
        (("backend/uv.lock", "worker/uv.lock"), "worker/app", "worker/uv.lock"),
        (("services/api/uv.lock",), ".", ""),
        (("services/api/uv.lock", "services/requirements.txt"), "services/api", "services/api/uv.lock"),
        (("services/api/app.py", "services/requirements.txt"), "services/api", "services/requirements.txt"),
        (("uv.lock", "backend/uv.lock"), "backend", "uv.lock"),
        (("backend/requirements/prod.txt",), ".", "backend/requirements/prod.txt"),
        (("tests/uv.lock", ".ci/uv.lock", "docs/requirements.txt"), ".", ""),
        (("setup.py", "backend/uv.lock"), ".", ""),
        (("setup.py", "backend/uv.lock"), "backend", "backend/uv.lock"),
        (("backend/setup.py", "worker/uv.lock"), "backend", ""),
    ],
)
def test_a_lock_is_found_below_the_top_where_it_is_clear_whose_it_is(
    tmp_path: Path, files: tuple[str, ...], path: str, lock: str
) -> None:
    texts = {name: "setup()\n" if name.endswith("setup.py") else "" for name in files}
    assert dependencies.find(Application(path=path), written(tmp_path, texts)) == lock


@pytest.mark.parametrize(
    ("files", "path", "file"),
    [
        ({"backend/pyproject.toml": PROJECT}, ".", "backend/pyproject.toml"),
        ({"backend/pyproject.toml": PROJECT, "pyproject.toml": "[tool.ruff]\n"}, ".", "backend/pyproject.toml"),
        ({"backend/pyproject.toml": PROJECT, "pyproject.toml": PROJECT}, "backend", "pyproject.toml"),
        ({"backend/pyproject.toml": PROJECT, "worker/pyproject.toml": PROJECT}, ".", ""),
        ({"backend/setup.cfg": "[options]\ninstall_requires =\n  flask\n"}, ".", "backend/setup.cfg"),
    ],
)
def test_a_project_without_a_lock_is_found_in_the_same_places(
    tmp_path: Path, files: dict[str, str], path: str, file: str
) -> None:
    assert dependencies.described(Application(path=path), written(tmp_path, files)) == file


def test_what_lies_beside_a_lock_comes_before_what_lies_above_it(tmp_path: Path) -> None:
    app = Application(path="services/api/app")
    assert dependencies.folders(app, written(tmp_path, {"services/api/uv.lock": ""})) == [
        "services/api/",
        "services/",
        "",
    ]
    assert dependencies.folders(APP, written(tmp_path / "empty", {})) == [""]


def test_a_lock_below_the_top_and_what_it_includes_decide_what_is_pinned(tmp_path: Path) -> None:
    files = {"backend/requirements.txt": "-r ../base.txt\n", "base.txt": ""}
    assert set(files) <= set(dependencies.files(APP, written(tmp_path, files)))
