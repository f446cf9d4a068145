"""Which Python an application is written for: what its sources name, and what they require."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.settings.project import Application
from longshore.snapshot import python
from tests.unit.sources import written

APP = Application(path=".")
PIPFILE = '[packages]\nflask = "*"\n[requires]\npython_version = "3.12"\n'


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({}, "3.11"),
        ({"Dockerfile": "FROM docker.io/library/python:3.12-slim AS a\nFROM --platform=x python:3.13.1\n"}, "3.13"),
        ({"Dockerfile": "FROM debian:12\n"}, ""),
        ({"Dockerfile": "FROM python:3.12\n", ".python-version": "# ours\n3.10.13\n"}, "3.10.13"),
        ({".python-version": "\ufeff3.12.3  # as in production\r\n3.11\r\n"}, "3.12.3"),
        ({".python-version": "3.12.3/envs/shop\n"}, "3.12.3"),
        ({".python-version": "pypy3.10-7.3.12\n"}, "pypy3.10-7.3.12"),
        ({"Dockerfile": "ARG PYTHON_VERSION=3.12.3\nFROM python:${PYTHON_VERSION}-slim AS base\n"}, "3.12"),
        ({"Dockerfile": "ARG V=3.12\nARG TAG=$V-slim\nFROM python:$TAG\n"}, "3.12"),
        ({"Dockerfile": 'ARG BASE="python:3.12"\nFROM ${BASE:-python:3.9}\n'}, "3.12"),
        ({"Dockerfile": "FROM python:${V:-3.12}-slim\n"}, "3.12"),
        ({"Dockerfile": "ARG V\nFROM python:$V\n"}, ""),
        ({"Dockerfile": "FROM ghcr.io/astral-sh/uv:python3.12-bookworm-slim\n"}, "3.12"),
        ({"runtime.txt": "python-3.12.3\n"}, "3.12"),
        ({".tool-versions": "nodejs 20.1\npython 3.12.1 3.9.2\n"}, "3.12.1"),
        ({".tool-versions": "python system\n", "mise.toml": '[tools]\nnode = "22"\npython = "3.12"\n'}, "3.12"),
        ({".mise.toml": "[tools]\npython = ['3.13', '3.12']\n"}, "3.13"),
        ({"mise.toml": '[tools]\npython = "latest"\n', "runtime.txt": "python-3.10.1\n"}, "3.10"),
        ({"Pipfile": PIPFILE}, "3.12"),
        ({"Pipfile": PIPFILE, "Dockerfile": "FROM python:3.13\n"}, "3.13"),
        ({"Pipfile": PIPFILE, "Dockerfile": "FROM debian:12\n"}, "3.12"),
        ({"backend/Pipfile.lock": "{}", "backend/Pipfile": PIPFILE, "runtime.txt": "python-3.9.1\n"}, "3.12"),
        ({"backend/Pipfile.lock": "{}", "runtime.txt": "python-3.9.1\n"}, "3.9"),
        ({"worker/Pipfile": PIPFILE}, "3.11"),
    ],
)
def test_the_sources_name_their_python(tmp_path: Path, files: dict[str, str], version: str) -> None:
    assert python.of(APP, written(tmp_path, files)) == version


@pytest.mark.parametrize(
    ("required", "fitting"),
    [
        ("", (9, 11, 12, 13)),
        ("*", (9, 11, 12, 13)),
        (">=3.9,<4", (9, 11, 12, 13)),
        (">= 3.12", (12, 13)),
        (">=3.12.4", (12, 13)),
        (">3.11, <3.13", (11, 12)),
        ("<3.12.5", (9, 11, 12)),
        ("==3.12.*", (12,)),
        ("==3.*", (9, 11, 12, 13)),
        ("!=3.9.*,!=3.11.2", (11, 12, 13)),
        ("~=3.11", (11, 12, 13)),
        ("~=3.11.2", (11,)),
        ("^3.12", (12, 13)),
        ("~3.11", (11,)),
        ("~3.11 || ^3.13", (11, 13)),
        ("3.12", (12,)),
        ("<=3.11", (9, 11)),
        (f">=3.9,<{'9' * 5000}", (9, 11, 12, 13)),
        (f">=3.{'9' * 5000}", ()),
    ],
)
def test_what_is_required_is_read_in_pips_words_and_in_poetrys(required: str, fitting: tuple[int, ...]) -> None:
    assert tuple(minor for minor in (9, 11, 12, 13) if python.fits(required, f"3.{minor}.1")) == fitting


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\nname = "shop"\nrequires-python = ">=3.12,<4"\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.12"\n'),
        ("setup.cfg", "[options]\npython_requires = >=3.12\n"),
        ("backend/setup.cfg", "[options]\npython_requires = >=3.12\ninstall_requires = flask\n"),
    ],
)
def test_a_python_that_the_project_does_not_support_is_refused(tmp_path: Path, name: str, text: str) -> None:
    snapshot = written(tmp_path, {name: text})
    with pytest.raises(BadInput, match=rf"{name} requires Python \S+3\.12\S*, and this would be 3\.11") as caught:
        python.check("3.11", APP, snapshot, "name another")
    assert caught.value.hint == "name another"
    python.check("3.12.1", APP, snapshot, "name another")
    python.check("my-environment", APP, snapshot, "name another")
