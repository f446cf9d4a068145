"""The Python of an image whose Dockerfile is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.image.made import FLASK, made


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            ".python-version",
            "3.12.3\n3.11\n",
            r"\.python-version names Python 3\.12\.3, and the image would have 3\.11",
        ),
        ("runtime.txt", "python-3.12.3\n", r"runtime\.txt names Python 3\.12"),
        (".tool-versions", "nodejs 20.1\npython 3.12.3\n", r"\.tool-versions names Python 3\.12"),
        ("Pipfile", '[requires]\npython_version = "3.12"\n', r"Pipfile names Python 3\.12"),
        ("pyproject.toml", '[project]\nname = "shop"\nrequires-python = ">=3.12,<4"\n', r"requires Python >=3\.12,<4"),
    ],
)
def test_an_image_of_another_python_than_the_sources_name_is_refused(
    tmp_path: Path, file: str, text: str, said: str
) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", file: text}
    with pytest.raises(BadInput, match=said) as caught:
        made(tmp_path, files)
    assert "base_image" in caught.value.hint
    assert made(tmp_path, files, base_image="python:3.12-slim")
    assert made(tmp_path, files, base_image="registry.example/ours:1"), "nobody knows which Python that has"


@pytest.mark.parametrize(
    ("named", "fitting"),
    [
        *((version, True) for version in ("3", "3.11.4", ">=3.10,<3.13", "cpython-3.11.4-linux-x86_64-gnu", "shop")),
        *((version, False) for version in (">=3.12", "pypy3.11-7.3.19", "3.12")),
    ],
)
def test_what_a_version_file_names_is_read_in_uvs_and_pyenvs_words(tmp_path: Path, named: str, fitting: bool) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", ".python-version": f"{named}\n"}
    if fitting:
        assert made(tmp_path, files)
    else:
        with pytest.raises(BadInput, match="and the image would have"):
            made(tmp_path, files)
