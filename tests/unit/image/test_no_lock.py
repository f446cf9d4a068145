"""Where no lock is found, or not the one that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.image.made import FLASK, installs, made


def test_where_nothing_says_what_to_install_or_to_serve_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing says what the application depends on"):
        made(tmp_path, {"app.py": FLASK})
    with pytest.raises(BadInput, match="nothing looks like the application to serve"):
        made(tmp_path, {"app.py": "print('hello')\n", "requirements.txt": "flask\n"})


def test_the_only_folder_with_requirements_says_what_is_installed(tmp_path: Path) -> None:
    files = {"backend/app.py": FLASK, "backend/requirements.txt": "flask\n", "docs/requirements.txt": "sphinx\n"}
    assert installs(made(tmp_path, files))[0] == "--requirement=backend/requirements.txt"
    for more in ({"pyproject.toml": "[tool.poetry]\n"}, {"worker/requirements.txt": "rq\n"}):
        with pytest.raises(BadInput, match="nothing says what the application depends on"):
            made(tmp_path, files | more)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("requirements/common.txt", '`requirements = "requirements/common.txt"` under [application] takes it'),
        ("api/requirements-prod.txt", '`requirements = "api/requirements-prod.txt"` under [application] takes it'),
        ("Requirement.txt", '`requirements = "Requirement.txt"` under [application] takes it'),
        ("Pipfile", "`pipenv lock` makes one of Pipfile"),
        ("api/Pipfile", "`pipenv lock` makes one of api/Pipfile"),
        ("services/api/uv.lock", '`requirements = "services/api/uv.lock"` under [application] takes it'),
        ("environment.yaml", "`pip list --format=freeze > requirements.txt` makes one of environment.yaml"),
        ("setup.py", "`pip list --format=freeze > requirements.txt` makes one of setup.py"),
        ("pyproject.toml", "`poetry lock` or `uv lock` makes one of pyproject.toml"),
        ("environment.yml", "`pip list --format=freeze > requirements.txt` makes one of environment.yml"),
        ("requirements.in", '`requirements = "requirements.in"` under [application] takes it'),
    ],
)
def test_where_no_lock_is_found_what_is_there_is_named(tmp_path: Path, file: str, said: str) -> None:
    with pytest.raises(BadInput, match="nothing says what the application depends on") as caught:
        made(tmp_path, {"app.py": FLASK, file: "", "docs/requirements.txt": "", "tests/requirements.txt": ""})
    assert said in caught.value.hint
    assert "docs" not in caught.value.hint


def test_a_lock_that_the_settings_name_and_the_sources_lack_is_a_sentence(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n"}
    with pytest.raises(
        BadInput, match=r"requirements under \[application\] is reqs/prod\.txt, which the sources do not have"
    ):
        made(tmp_path, files, requirements="reqs/prod.txt")


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[project]\nname = "shop"\ndynamic = ["dependencies"]\n'},
        {"pyproject.toml": '[tool.poetry]\nname = "shop"\n'},
        {"pyproject.toml": '[project]\nname = "shop"\n[project.optional-dependencies]\nweb = ["flask"]\n'},
        {"pyproject.toml": '[project]\nname = "shop"\n[dependency-groups]\nweb = ["flask"]\n'},
        {"pyproject.toml": "["},
        {"setup.py": ""},
        {"setup.py": "setup("},
        {"setup.py": "setup(install_requires=open('a').read().split())"},
        {"setup.cfg": "[flake8]\nmax-line-length = 100\n"},
        {"setup.cfg": "[options]\ninstall_requires = file: requirements.in\n"},
    ],
)
def test_a_project_that_has_to_be_built_to_say_what_it_needs_needs_a_lock(
    tmp_path: Path, files: dict[str, str]
) -> None:
    with pytest.raises(BadInput, match="nothing says what the application depends on"):
        made(tmp_path, {"app.py": FLASK, **files})
