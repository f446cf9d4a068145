"""What the application's own virtualenv holds, and whose virtualenv a suite runs in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.gates import wanted
from longshore.gates.wanted import Wanted
from longshore.settings.gates import Gates, Suite
from longshore.settings.project import Application
from longshore.snapshot.snapshot import Snapshot
from tests.unit.sources import snapshot_of

PROJECT = '[project]\nname = "shop"\ndependencies = ["flask"]\n'
APP = Application(path=".")


def sources(folder: Path, files: dict[str, str]) -> Snapshot:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return snapshot_of(folder)


def suite(**keys: object) -> Suite:
    return Suite(paths=["tests"], reads=["**"], **keys)  # type: ignore[arg-type]


def of(folder: Path, files: dict[str, str], **keys: object) -> Wanted:
    return wanted.wanted(APP, suite(**keys), sources(folder, files))


@pytest.mark.parametrize(
    ("files", "own"),
    [
        ({"requirements.txt": "flask==2.2.5\n"}, True),
        ({"uv.lock": "", "pyproject.toml": PROJECT}, True),
        ({"pyproject.toml": PROJECT}, True),
        ({"setup.py": ""}, True),
        ({"pyproject.toml": "[tool.ruff]\n"}, False),
        ({"app.py": "", "Dockerfile": "FROM python:3.12\nRUN pip install flask\n"}, False),
        ({"requirements.txt": "flask\n", "longshore/__init__.py": ""}, False),
        ({"requirements.txt": "flask\n", "requirements-dev.txt": "-r requirements.txt\nlongshore==1.0\n"}, False),
        ({"requirements.txt": "flask\n", "requirements/dev.in": "longshore[local] @ git+https://x\n"}, False),
        (
            {"requirements.txt": "flask\n", "pyproject.toml": '[dependency-groups]\ndev = ["a", "longshore>=1"]\n'},
            False,
        ),
        ({"uv.lock": '[[package]]\nname = "longshore"\n', "pyproject.toml": PROJECT}, False),
        ({"requirements.txt": "longshoreman==1\nmy-longshore==2\nlongshore-x\n"}, True),
    ],
)
def test_the_sources_say_whose_virtualenv_it_is(tmp_path: Path, files: dict[str, str], own: bool) -> None:
    snapshot = sources(tmp_path, files)
    assert wanted.own(Gates(), suite(), APP, snapshot) is own
    assert wanted.own(Gates(virtualenv="own"), suite(), APP, snapshot)
    assert not wanted.own(Gates(virtualenv="ours"), suite(), APP, snapshot)
    assert wanted.own(Gates(), suite(python="3.12"), APP, snapshot), "a suite that says what it needs gets it"


def test_a_requirements_file_is_wanted_with_what_it_includes(tmp_path: Path) -> None:
    files = {"requirements.txt": "-r base.txt\n-c pins.txt\nflask\n", "base.txt": "click\n", "pins.txt": "click==8\n"}
    found = of(tmp_path, files)
    assert (found.lock, found.lines, found.constraints) == ("requirements.txt", ("click", "flask"), ("click==8",))
    assert found.files == ("requirements.txt", "base.txt", "pins.txt")
    assert (found.export, found.arguments) == ((), ())


def test_the_project_itself_stands_for_its_dependencies(tmp_path: Path) -> None:
    files = {"requirements.txt": "-e .[web]\nclick\n", "pyproject.toml": PROJECT}
    found = of(tmp_path, files, install=[".[test]"])
    assert found.lines == ("click",)
    assert found.arguments == ("--requirement=pyproject.toml", "--extra=web", "--extra=test")
    assert found.files == ("requirements.txt", "pyproject.toml")


def test_a_project_without_a_lock_is_installed_as_it_says(tmp_path: Path) -> None:
    found = of(tmp_path, {"pyproject.toml": PROJECT + '[dependency-groups]\ndev = ["pytest-mock"]\n'})
    assert (found.lock, found.lines) == ("pyproject.toml", ())
    assert found.arguments == ("--requirement=pyproject.toml", "--group=dev")
    assert of(tmp_path, {}, groups=["test"]).arguments == ("--requirement=pyproject.toml", "--group=test")


@pytest.mark.parametrize(
    ("lock", "export"),
    [
        ("uv.lock", "uv export --frozen --no-emit-project --no-header --group=test --extra=web"),
        ("poetry.lock", "poetry export --all-groups --extras=web"),
        ("pdm.lock", "pdm export --format=requirements --group=web"),
    ],
)
def test_a_lock_of_a_tool_is_exported_with_what_its_authors_install(tmp_path: Path, lock: str, export: str) -> None:
    files = {lock: "", "pyproject.toml": PROJECT, "more.txt": "pytest-mock\n"}
    found = of(tmp_path, files, groups=["test"], install=[".[web]", "more.txt", "pytest-env==1.1"])
    assert " ".join(found.export) == export
    assert found.packages[0] == lock.partition(".")[0]
    assert (found.lines, found.arguments) == (("pytest-mock",), ("pytest-env==1.1",))
    assert found.files == (lock, "pyproject.toml", "more.txt")


def test_an_edit_of_what_decides_it_makes_another_one(tmp_path: Path) -> None:
    files = {"requirements.txt": "-r base.txt\n", "base.txt": "click\n", "app.py": "", ".python-version": "3.12\n"}

    def key(changed: dict[str, str], **keys: object) -> str:
        snapshot = sources(tmp_path, files | changed)
        return wanted.wanted(APP, suite(**keys), snapshot).key(snapshot, 1)

    first = key({})
    assert key({"app.py": "import flask\n"}) == first
    others = [key({"base.txt": "flask\n"}), key({".python-version": "3.13"}), key({}, install=["pytest-mock"])]
    assert len({first, *others}) == 4
    assert key({}) == first


def test_nothing_to_make_it_from_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing says what the application depends on") as caught:
        of(tmp_path, {"app.py": ""})
    assert "uv.lock" in caught.value.hint
    assert of(tmp_path, {}, install=["flask==2.2.5"]).arguments == ("flask==2.2.5",)
    with pytest.raises(BadInput, match=r"the settings name dev\.txt, which the sources do not have"):
        of(tmp_path, {}, install=["dev.txt"])


def test_the_virtualenv_has_the_python_that_the_sources_name(tmp_path: Path) -> None:
    files = {"requirements.txt": "", "Dockerfile": "ARG V=3.12\nFROM python:$V-slim\n"}
    assert of(tmp_path, files).python == "3.12"
    assert of(tmp_path, files, python="3.9").python == "3.9"


def test_a_python_that_the_project_does_not_support_runs_no_tests(tmp_path: Path) -> None:
    files = {"uv.lock": "", "pyproject.toml": f'{PROJECT}requires-python = ">=3.99"\n'}
    for dockerfile in ({}, {"Dockerfile": "FROM debian:12\n"}):
        with pytest.raises(BadInput, match=r"pyproject\.toml requires Python >=3\.99, and this would be 3\.") as caught:
            of(tmp_path, files | dockerfile)
        assert "[gates.tests.NAME]" in caught.value.hint
    assert of(tmp_path, files, python="3.99").python == "3.99"


def test_a_lock_that_any_program_reads_is_wanted_with_what_lies_in_the_repository(tmp_path: Path) -> None:
    packages = {"shop": {"path": ".", "editable": True}, "ours": {"path": "./libs/ours"}, "click": {"version": "==8"}}
    files = {"Pipfile.lock": json.dumps({"default": packages}), "libs/ours/setup.py": "", "setup.py": ""}
    found = of(tmp_path, files)
    assert [line.strip() for line in found.lines] == ["./libs/ours", "click==8"]
    assert found.arguments == ("--requirement=setup.py",)
    assert set(found.files) == {*files}


def test_a_member_of_a_workspace_decides_what_is_installed(tmp_path: Path) -> None:
    lock = '[[package]]\nname = "ours"\nversion = "1"\nsource = { editable = "libs/ours" }\n'
    found = of(tmp_path, {"uv.lock": lock, "pyproject.toml": PROJECT, "libs/ours/pyproject.toml": "", "app.py": ""})
    assert found.files == ("uv.lock", "pyproject.toml", "libs/ours/pyproject.toml")


def test_settings_of_tools_say_nothing_of_what_an_application_depends_on(tmp_path: Path) -> None:
    snapshot = sources(tmp_path, {"app.py": "", "setup.cfg": "[flake8]\nmax-line-length = 100\n"})
    assert not wanted.own(Gates(), suite(), APP, snapshot)
    snapshot = sources(tmp_path, {"setup.cfg": "[metadata]\nname = shop\n"})
    assert wanted.own(Gates(), suite(), APP, snapshot)


def test_a_lock_that_the_settings_name_and_the_sources_lack_is_a_sentence(tmp_path: Path) -> None:
    snapshot = sources(tmp_path, {"requirements.txt": "flask\n"})
    with pytest.raises(
        BadInput, match=r"requirements under \[application\] is reqs/prod\.txt, which the sources do not have"
    ):
        wanted.wanted(Application(requirements="reqs/prod.txt"), suite(), snapshot)


@pytest.mark.parametrize(
    "text", ['dependency-groups = 3\n[project]\nname = "shop"\n', "[tool]\npoetry = 3\n", "tool = 3\n", "project = 1\n"]
)
def test_a_table_that_is_none_is_no_traceback(tmp_path: Path, text: str) -> None:
    snapshot = sources(tmp_path, {"pyproject.toml": text, "setup.py": ""})
    assert wanted.wanted(APP, suite(), snapshot).arguments[0].startswith("--requirement=")


@pytest.mark.parametrize("path", [".", "backend"])
def test_a_lock_below_the_top_is_exported_beside_its_own_project(tmp_path: Path, path: str) -> None:
    lock = '[[package]]\nname = "ours"\nversion = "1"\nsource = { editable = "../libs/ours" }\n'
    files = {"backend/uv.lock": lock, "backend/pyproject.toml": PROJECT, "libs/ours/a.py": "", "backend/app.py": ""}
    snapshot = sources(tmp_path, files | {"backend/.python-version": "3.12\n"})
    found = wanted.wanted(Application(path=path), suite(groups=["test"]), snapshot)
    assert (found.lock, found.folder, found.python) == ("backend/uv.lock", "backend", "3.12")
    assert found.files == ("backend/uv.lock", "backend/pyproject.toml", "libs/ours/a.py")
    assert "--group=test" in found.export
    assert wanted.own(Gates(), suite(), Application(path=path), snapshot)
    (tmp_path / "backend/pyproject.toml").write_text(f'{PROJECT}[dependency-groups]\ndev = ["longshore"]\n')
    assert not wanted.own(Gates(), suite(), Application(path=path), snapshot_of(tmp_path))


def test_a_pipfile_below_the_top_stands_for_the_project_beside_it(tmp_path: Path) -> None:
    packages = {"shop": {"path": ".", "editable": True}, "ours": {"path": "../ours"}, "click": {"version": "==8"}}
    lock = json.dumps({"default": packages})
    files = {"backend/Pipfile.lock": lock, "ours/a.py": "", "backend/setup.py": "", "setup.cfg": "[flake8]\n"}
    found = of(tmp_path, files, groups=["test"])
    assert [line.strip() for line in found.lines] == ["./ours", "click==8"]
    assert found.arguments == ("--requirement=backend/setup.py", "--group=backend/pyproject.toml:test")
    assert set(found.files) == {"backend/Pipfile.lock", "ours/a.py", "backend/setup.py"}


def test_a_project_below_the_top_without_a_lock_is_installed_as_it_says(tmp_path: Path) -> None:
    project = f'{PROJECT}[dependency-groups]\ndev = ["pytest-mock"]\n'
    found = of(tmp_path, {"backend/pyproject.toml": project, "pyproject.toml": "[tool.ruff]\n"})
    assert found.lock == "backend/pyproject.toml"
    assert found.arguments == ("--requirement=backend/pyproject.toml", "--group=backend/pyproject.toml:dev")


def test_requirements_below_the_top_stand_for_the_project_beside_them(tmp_path: Path) -> None:
    files = {"backend/requirements.txt": "-e .[web]\n-e ../ours\nflask\n", "backend/setup.py": "", "ours/a.py": ""}
    found = of(tmp_path, files, groups=["test"])
    assert found.lines == ("./ours", "flask")
    assert found.arguments == (
        *("--requirement=backend/setup.py", "--extra=web", "--group=backend/pyproject.toml:test"),
    )


@pytest.mark.parametrize("text", ["[", "a = " + "[" * 100_000, "a = " + "1" * 5000])
def test_a_pyproject_toml_that_cannot_be_read_is_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"pyproject\.toml cannot be read"):
        of(tmp_path, {"pyproject.toml": text})
