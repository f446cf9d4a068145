"""An application whose pins contradict the toolkit's: its tests run with what it locks, the toolkit on its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from longshore.gates.virtualenv import pythons
from longshore.settings.host import Host

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[application]
path = "."
[environments.blue]
[gates.tests.unit]
paths = ["tests"]
reads = ["*.py", "tests"]
"""
PINS = "flask==2.2.5\nwerkzeug==2.2.3\nclick==8.0.4\n"
FILES = {
    "tasks.py": (ROOT / "tasks.py").read_text(encoding="utf-8"),
    "longshore.toml": SETTINGS,
    "requirements.txt": PINS,
    # Flask 3 has no such hooks any more.
    "app.py": "from flask import Flask\n\napp = Flask(__name__)\nHOOKS = app.before_first_request_funcs\n",
    "pyproject.toml": '[tool.mypy]\nfiles = ["app.py"]\nstrict = true\n',
    "tests/test_app.py": """
import importlib.util
import subprocess
import sys
from importlib.metadata import version

import app


def test_it_runs_with_what_it_locks():
    assert [version(name) for name in ("flask", "werkzeug", "click")] == ["2.2.5", "2.2.3", "8.0.4"]
    assert "Flask 2.2.5" in subprocess.run(["flask", "--version"], capture_output=True, text=True).stdout


def test_nothing_of_the_toolkit_is_there():
    assert not importlib.util.find_spec("msgspec")
""",
}
# Whichever of these is on this machine, and is not the toolkit's.
OTHER = ("3.12", "3.13", "3.10", "3.11")


def run(folder: Path, *words: str, **shell: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the document, and what was said."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state")} | shell
    argv = [sys.executable, "-m", "invoke", *words, "--json"]
    ended = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.returncode, json.loads(ended.stdout), ended.stderr


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache, with virtualenvs of these tests' own; uv's is the user's, so little is fetched."""
    folder = tmp_path_factory.mktemp("cache")
    before = {name: os.environ.get(name) for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR")}
    uv = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    os.environ |= {"XDG_CACHE_HOME": str(folder), "UV_CACHE_DIR": uv}
    yield folder / "longshore/virtualenvs"
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Path:
    return write(tmp_path / "shop", FILES)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)
    return folder


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
