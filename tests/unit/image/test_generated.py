"""The Dockerfile of an application that has none: when one is made, what it begins with, what it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.image import generated
from tests.unit.image.made import FLASK, command, installs, made


def test_what_serves_and_what_is_installed_follow_from_the_sources(tmp_path: Path) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask\n"})
    assert command(lines) == ["gunicorn", "--bind=0.0.0.0:8000", "--workers=2", "--threads=8", "app:app"]
    assert installs(lines) == ["--requirement=requirements.txt", generated.SERVERS["gunicorn"]]
    assert lines[1] == "FROM python:3.11-slim-bookworm AS dependencies"
    assert {"USER 10001:10001", "EXPOSE 8000", "WORKDIR /srv"} <= set(lines)


@pytest.mark.parametrize(("ignored", "file"), [("*.lock\n", "uv.lock"), ("*.toml\n", "pyproject.toml")])
def test_what_the_image_is_made_from_is_not_left_out(tmp_path: Path, ignored: str, file: str) -> None:
    files = {"app.py": FLASK, "uv.lock": "", "pyproject.toml": "", ".dockerignore": ignored}
    with pytest.raises(BadInput, match=rf"\.dockerignore leaves out {file}, which the image is made from"):
        made(tmp_path, files)
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(BadInput, match="the sources have no pyproject"):
        made(tmp_path, {".dockerignore": ""})


def test_what_cannot_be_compiled_ahead_stops_no_build(tmp_path: Path) -> None:
    (line,) = (
        line for line in made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask\n"}) if "compileall" in line
    )
    assert line.endswith(" || true")


@pytest.mark.parametrize("name", ["docker/Dockerfile", "Dockerfile.prod", "deploy/web.Dockerfile", "Containerfile"])
def test_a_dockerfile_that_lies_elsewhere_is_not_passed_over(tmp_path: Path, name: str) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", name: "FROM python:3.11-slim\n"}
    with pytest.raises(BadInput, match=f"Dockerfile does not exist, but {name} does") as caught:
        made(tmp_path, files)
    assert f'`dockerfile = "{name}"` under [application]' in caught.value.hint
    assert command(made(tmp_path, files, command=["python", "run.py"])) == ["python", "run.py"], "they have been told"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nginx/Dockerfile", "FROM nginx:1\n"),
        (".devcontainer/Dockerfile", "FROM python:3.12\n"),
        ("ci/Dockerfile", "FROM python:3.12\n"),
        ("tests/Dockerfile", "FROM python:3.12\n"),
        ("docs/Dockerfile.md", "FROM python:3.12\n"),
    ],
)
def test_a_dockerfile_of_something_else_is_none_of_the_applications(tmp_path: Path, name: str, text: str) -> None:
    assert made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask\n", name: text})
