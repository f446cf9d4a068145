"""The Dockerfile that is made for a lock which lies below the top of the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.image import generated
from tests.unit.image.made import FLASK, command, made

PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n'
LOCKS = {
    "uv.lock": '[[package]]\nname = "gunicorn"\nversion = "23.0.0"\n',
    "poetry.lock": '[[package]]\nname = "psycopg2"\nversion = "2.9"\n',
    "pdm.lock": "",
    "Pipfile.lock": '{"default": {"flask": {"version": "==3.1"}}}',
    "pylock.toml": '[[packages]]\nname = "flask"\nversion = "3.1"\n',
}
APP = {"backend/app/__init__.py": "", "backend/app/main.py": FLASK, "backend/pyproject.toml": PROJECT}


def dependencies(lines: list[str]) -> list[str]:
    """The stage that installs."""
    return lines[: lines.index("FROM python:3.11-slim-bookworm")]


@pytest.mark.parametrize("path", [".", "backend", "backend/app"])
@pytest.mark.parametrize("lock", ["uv.lock", "poetry.lock", "pdm.lock"])
def test_a_tools_lock_is_exported_beside_its_own_project(tmp_path: Path, lock: str, path: str) -> None:
    lines = made(tmp_path, APP | {f"backend/{lock}": LOCKS[lock]}, path=path)
    assert f'COPY ["backend/pyproject.toml", "backend/{lock}", "./"]' in lines
    tool = lock.removesuffix(".lock")
    assert any(line.lstrip().startswith(f"&& /opt/lock/bin/{tool} export") for line in lines)
    assert "ENV PYTHONPATH=/srv/backend" in lines
    assert command(lines)[-1] == "app.main:app"


@pytest.mark.parametrize("lock", ["Pipfile.lock", "pylock.toml"])
def test_a_lock_that_any_program_reads_is_read_below_the_top_as_well(tmp_path: Path, lock: str) -> None:
    lines = [line.strip() for line in made(tmp_path, APP | {f"backend/{lock}": LOCKS[lock]})]
    assert "flask==3.1" in lines


def test_servers_and_system_packages_follow_from_a_lock_below_the_top(tmp_path: Path) -> None:
    lines = made(tmp_path, APP | {"backend/poetry.lock": LOCKS["poetry.lock"]})
    assert any("libpq-dev" in line for line in lines)
    waitress = '[[package]]\nname = "waitress"\nversion = "3"\n'
    (tmp_path / "backend" / "poetry.lock").unlink()
    assert "waitress-serve" in made(tmp_path, {"backend/uv.lock": waitress})[-1]


@pytest.mark.parametrize("place", ["../libs/ours", "libs/ours"])
def test_what_a_lock_below_the_top_has_in_the_repository_is_installed_from_beside_it(
    tmp_path: Path, place: str
) -> None:
    lock = f'[[package]]\nname = "ours"\nversion = "1"\nsource = {{ editable = "{place}" }}\n'
    lines = dependencies(made(tmp_path, APP | {"backend/uv.lock": lock, f"backend/{place}/ours.py": ""}))
    assert lines[lines.index("WORKDIR /srv") : lines.index("WORKDIR /srv") + 3] == [
        *("WORKDIR /srv", "COPY . .", 'WORKDIR "/srv/backend"')
    ]


@pytest.mark.parametrize(
    ("place", "installed"),
    [(".", "./backend"), ("./libs/ours", "./backend/libs/ours"), ("../ours", "./ours"), ("../backend", "./backend")],
)
def test_a_pipfile_names_places_from_where_it_lies(tmp_path: Path, place: str, installed: str) -> None:
    lock = json.dumps({"default": {"ours": {"path": place, "editable": True}}})
    lines = dependencies(
        made(tmp_path, APP | {"backend/Pipfile.lock": lock, "backend/libs/ours/a.py": "", "ours/a.py": ""})
    )
    assert "COPY . ." in lines
    assert installed in [line.strip() for line in lines]


@pytest.mark.parametrize("file", ["uv.lock", "Pipfile.lock", "requirements.txt", "requirements/prod.txt"])
def test_the_settings_may_name_a_lock_anywhere(tmp_path: Path, file: str) -> None:
    files = APP | {f"services/api/{file}": LOCKS.get(file, "flask\n"), "services/api/pyproject.toml": PROJECT}
    assert made(tmp_path, files, requirements=f"services/api/{file}")
    assert made(tmp_path, files, path="services/api"), "or the application's folder"


@pytest.mark.parametrize("other", ["worker/requirements.txt", "worker/poetry.lock", "worker/Pipfile.lock"])
def test_of_two_folders_with_locks_the_settings_name_one(tmp_path: Path, other: str) -> None:
    files = {**APP, "backend/pyproject.toml": "", "backend/uv.lock": LOCKS["uv.lock"], other: "{}"}
    with pytest.raises(BadInput, match="nothing says what the application depends on") as caught:
        made(tmp_path, files)
    for name in ("backend/uv.lock", other):
        assert f'`requirements = "{name}"` under [application] takes it' in caught.value.hint
    assert made(tmp_path, files, path="backend")
    assert made(tmp_path, files, requirements="backend/uv.lock")


def test_a_lock_of_tests_and_documents_is_none_of_the_applications(tmp_path: Path) -> None:
    files = {**APP, "backend/uv.lock": "", "docs/uv.lock": "", "tests/poetry.lock": "", ".ci/uv.lock": ""}
    assert 'COPY ["backend/pyproject.toml", "backend/uv.lock", "./"]' in made(tmp_path, files)


def test_the_lock_at_the_top_comes_first(tmp_path: Path) -> None:
    files = {**APP, "backend/uv.lock": LOCKS["uv.lock"], "requirements.txt": "flask\n"}
    assert any(line.endswith("--requirement=requirements.txt") for line in made(tmp_path, files, path="backend"))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (".python-version", "3.12\n", r"backend/\.python-version names Python 3\.12"),
        (
            "pyproject.toml",
            f'{PROJECT}requires-python = ">=3.12"\n',
            r"backend/pyproject\.toml requires Python >=3\.12",
        ),
    ],
)
def test_the_python_is_the_one_that_is_named_beside_the_lock(tmp_path: Path, file: str, text: str, said: str) -> None:
    files = {**APP, "backend/uv.lock": LOCKS["uv.lock"], ".python-version": "3.11\n", f"backend/{file}": text}
    with pytest.raises(BadInput, match=said):
        made(tmp_path, files)


def test_a_project_below_the_top_says_without_a_lock_what_it_depends_on(tmp_path: Path) -> None:
    assert "flask" in made(tmp_path, APP)
    with pytest.raises(BadInput, match="nothing says what the application depends on"):
        made(tmp_path, {"worker/pyproject.toml": PROJECT})
    assert "flask" in made(tmp_path, {"worker/requirements.txt": "rq\n"}, path="backend"), "not what another has"


def test_a_lock_that_the_builder_is_not_sent_is_a_sentence(tmp_path: Path) -> None:
    files = {**APP, "backend/uv.lock": LOCKS["uv.lock"], ".dockerignore": "**/uv.lock\n"}
    with pytest.raises(BadInput, match=r"\.dockerignore leaves out backend/uv\.lock, which the image is made from"):
        made(tmp_path, files)


def test_pins_have_a_place_of_their_own(tmp_path: Path) -> None:
    lines = made(tmp_path, APP | {"backend/uv.lock": LOCKS["uv.lock"]})
    assert any(line.endswith(f"--requirement={generated.PINS}") for line in lines)


def test_requirements_below_the_top_name_the_project_beside_them(tmp_path: Path) -> None:
    files = {**APP, "backend/requirements.txt": "-e .[web]\nflask\n"}
    lines = dependencies(made(tmp_path, files))
    assert lines[lines.index("COPY . .") + 1] == 'WORKDIR "/srv/backend"'
    assert any(line.endswith(" --requirement=requirements.txt") for line in lines)
    lines = dependencies(made(tmp_path, {"backend/requirements.txt": "-e .[web]\nflask\npywin32==306\n"}))
    assert "./backend[web]" in lines
