"""The virtualenv of an application's tests is made from its lock, whichever tool wrote that."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.gates.virtualenv import pythons
from longshore.settings.host import Host
from tests.integration.virtualenvs import FILES, SETTINGS, run, write

# Whichever of these is on this machine, and is not the toolkit's.
OTHER = ("3.12", "3.13", "3.10", "3.11")
PROJECT = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.10"
dependencies = ["flask==2.2.5"]
[dependency-groups]
dev = ["werkzeug==2.2.3", "click==8.0.4"]
[tool.poetry]
package-mode = false
"""
LOCKED = {"flask": "2.2.5", "jinja2": "3.1.6", "markupsafe": "3.0.2", "itsdangerous": "2.2.0"}
DEVELOP = {"werkzeug": "2.2.3", "click": "8.0.4"}


def lock(kind: str) -> str:
    """A lock of KIND for PROJECT, as its tool writes it; without hashes where it may do without."""
    if kind == "Pipfile.lock":
        default, develop = ({name: {"version": f"=={pin}"} for name, pin in part.items()} for part in (LOCKED, DEVELOP))
        return json.dumps({"default": default, "develop": develop})
    if kind == "pylock.toml":
        pins = (LOCKED | DEVELOP).items()
        return "".join(f'[[packages]]\nname = "{name}"\nversion = "{pin}"\n' for name, pin in pins)
    main, begin, end = {"poetry.lock": ("main", "", POETRY), "pdm.lock": ("default", PDM, "")}[kind]
    rows = [
        f'[[package]]\nname = "{name}"\nversion = "{pin}"\ndescription = ""\nsummary = ""\noptional = false\n'
        f'python-versions = ">=3.7"\ngroups = ["{main if name in LOCKED else "dev"}"]\n{files(name, pin)}\n'
        for name, pin in (LOCKED | DEVELOP).items()
    ]
    return begin + "\n".join(rows) + end


def files(name: str, pin: str) -> str:
    """The files of a release, each by its hash: PDM exports none without."""
    argv = ("uv", "pip", "compile", "-q", "--no-deps", "--generate-hashes", "-")
    ended = subprocess.run(argv, input=f"{name}=={pin}\n", capture_output=True, text=True, check=True)
    hashes = re.findall(r"sha256:[0-9a-f]{64}", ended.stdout)
    rows = ", ".join(f'{{file = "{name}", hash = "{found}"}}' for found in hashes)
    return f"files = [{rows}]"


PDM = """\
[metadata]
groups = ["default", "dev"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
content_hash = "sha256:x"
[[metadata.targets]]
requires_python = ">=3.10"

"""
POETRY = """
[metadata]
lock-version = "2.1"
python-versions = ">=3.10"
content-hash = "5aa88a5abfdb4085b3228a84f80d3f22d263da5287caca436bfae572ad7600e5"  # pragma: allowlist secret
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Pipfile.lock", "pylock.toml", "poetry.lock", "pdm.lock"])
def test_a_lock_of_another_kind_is_installed_with_what_its_authors_install(
    tmp_path: Path, cache: Path, kind: str
) -> None:
    files = {name: text for name, text in FILES.items() if name != "requirements.txt"}
    folder = write(tmp_path / "shop", files | {"pyproject.toml": PROJECT, kind: lock(kind)})
    code, _, said = run(folder, "test")
    assert code == 0, said
    assert f" with {kind} and pytest" in said


def test_a_lock_of_uvs_and_another_python_than_the_toolkits(tmp_path: Path, cache: Path) -> None:
    path = pythons(Host.read(os.environ))
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    other = next((v for v in OTHER if v != ours and shutil.which(f"python{v}", path=path)), ours)
    project = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["flask==2.2.5"]\n'
    project += '[dependency-groups]\ndev = ["pytest==8.3.5", "werkzeug==2.2.3", "click==8.0.4"]\n'
    files = {name: text for name, text in FILES.items() if name != "requirements.txt"} | {"pyproject.toml": project}
    files["tests/test_app.py"] += f"\n\ndef test_python(mocker):\n    assert sys.version.startswith('{other}.')\n"
    files["longshore.toml"] += f'python = "{other}"\ninstall = ["pytest-mock"]\n'
    folder = write(tmp_path / "shop", files)
    subprocess.run(["uv", "lock", "-q"], cwd=folder, check=True)
    code, _, said = run(folder, "test")
    assert code == 0, said
    assert re.search(rf"3 tests, 100% covered; Python {re.escape(other)}\.\d+ with uv.lock and pytest-cov", said)


def test_a_lock_below_the_top_is_exported_from_beside_its_project(tmp_path: Path, cache: Path) -> None:
    """It has a folder of the repository, which it names from where it lies."""
    project = PROJECT.replace('["flask==2.2.5"]', '["ours", "flask==2.2.5"]')
    project += '[tool.uv.sources]\nours = { path = "../libs/ours", editable = true }\n'
    files = {f"backend/{name}": FILES[name] for name in ("app.py", "tests/test_app.py")} | {
        "tasks.py": FILES["tasks.py"],
        "longshore.toml": SETTINGS.replace('path = "."', 'path = "backend"').replace('["tests"]', '["backend/tests"]'),
        "backend/pyproject.toml": project,
        "libs/ours/pyproject.toml": '[project]\nname = "ours"\nversion = "1"\n',
        "libs/ours/ours.py": "",
    }
    files["backend/tests/test_app.py"] += "\n\ndef test_ours():\n    assert version('ours') == '1'\n"
    folder = write(tmp_path / "shop", files)
    subprocess.run(["uv", "lock", "-q"], cwd=folder / "backend", check=True)
    code, _, said = run(folder, "test")
    assert code == 0, said
    assert " with backend/uv.lock and pytest" in said
