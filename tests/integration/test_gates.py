"""The gates with the real tools: what the shell says to a tool does not make it look away."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.errors import GateFailed
from longshore.gates.run import Gates
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.snapshot.take import take

ROOT = Path(__file__).parents[2]
SETTINGS = '[project]\nname = "shop"\n[environments.blue]\n[gates.tests.unit]\npaths = ["tests"]\nreads = ["tests"]\n'
FILES = {
    "longshore.toml": SETTINGS,
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "tests/test_one.py": "import os\n\n\ndef test_good() -> None:\n    assert 'TOKEN' not in os.environ\n",
    "k8s/a.yaml": "---\na: 1\n",
    "Dockerfile": "FROM debian:12\nUSER 65534\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return made(tmp_path, FILES)


def made(project: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    return project


def gates(project: Path, **shell: str) -> Gates:
    environ = os.environ | {"XDG_STATE_HOME": str(project.parent)} | shell
    settings, runner = load(project, environ), Runner(environ)
    snapshot = take(settings, runner)
    return Gates(settings, runner, lambda: snapshot)


def unit(gates: Gates) -> str:
    return gates.suite("unit", lambda *_: None).note


CASES: dict[str, tuple[Callable[[Gates], str], str, str, dict[str, str]]] = {
    "pytest": (unit, "tests/test_one.py", "\n\ndef test_planted():\n    assert False\n", {"PYTEST_ADDOPTS": "-k good"}),
    "yamllint": (Gates.yaml, "k8s/a.yaml", "a: 2\n", {"YAMLLINT_CONFIG_FILE": "/dev/null"}),
    "yamllint that cannot read": (Gates.yaml, "k8s/a.yaml", "\udcff: 2\n", {}),
    "coverage": (
        unit,
        "pyproject.toml",
        "[tool.coverage.report]\nfail_under = 100\n[tool.coverage.run]\nsource = ['k']\n",
        {},
    ),
    "hadolint": (Gates.dockerfile, "Dockerfile", "RUN cd /tmp\n", {"HADOLINT_IGNORE": "DL3003"}),
}


@pytest.mark.parametrize("tool", CASES)
def test_a_gate_finds_what_it_finds_whatever_the_shell_tells_its_tool(project: Path, tool: str) -> None:
    check, name, mistake, shell = CASES[tool]
    assert check(gates(project, **shell, TOKEN="open-sesame"))
    with (project / name).open("ab") as file:
        file.write(os.fsencode(mistake))
    with pytest.raises(GateFailed):
        check(gates(project, **shell))


def test_a_suite_gets_the_variables_that_it_names(project: Path) -> None:
    (project / "longshore.toml").write_text(f'{SETTINGS}env = ["TOKEN"]\n')
    with pytest.raises(GateFailed, match="1 of 1 tests failed"):
        unit(gates(project, TOKEN="open-sesame"))
    assert unit(gates(project)) == "1 tests, 100% covered"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("requirements.txt", "-r more.txt\nflask>=3\n", "2 lines pin no release of an index: click, flask>=3"),
        ("requirements.txt", "-e .\n", "1 line pins no release of an index: .; requirements.txt pins no release"),
        ("uv.lock", '[[package]]\nname = "a"\nversion = "1"\nsource = { git = "x" }\n', "uv.lock pins no release"),
        ("poetry.lock", "", "poetry.lock pins no release"),
        ("backend/poetry.lock", "", "backend/poetry.lock pins no release"),
        ("Pipfile.lock", '{"default": {"flask": {"version": "==3.1.3"}}}', "for every release in the lock"),
    ],
)
def test_what_was_not_examined_of_a_lock_of_any_kind_is_told(project: Path, name: str, text: str, said: str) -> None:
    (project / "more.txt").write_text("click\n")
    (project / "backend").mkdir()
    (project / name).write_text(text)
    result = gates(project, HTTPS_PROXY="http://127.0.0.1:9", PIP_RETRIES="0").dependencies()
    assert result.partial
    assert result.note.startswith("NOT CHECKED: ")
    assert said in result.note


def test_a_lock_without_hashes_is_examined(project: Path) -> None:
    (project / "requirements.txt").write_text("jinja2==2.11.2\n")
    try:
        said = gates(project).dependencies().note
    except GateFailed as problem:  # where the advisory service can be reached
        said = problem.detail
    assert "jinja2 2.11.2" in said or said.startswith("NOT CHECKED: the advisory service"), said


UNTIDY = "import json\nfrom flask import Flask\n\ndef create_app():\n    return Flask(json.dumps('x'))\n"


def foreign(project: Path, **files: str) -> Gates:
    """A project that configures no linter and holds what belongs beside an application of Longshore."""
    for name in ("k8s", "terraform"):
        left_out = shutil.ignore_patterns(".terraform")
        shutil.copytree(ROOT / name, project / name, ignore=left_out, dirs_exist_ok=True)
    shutil.copy2(ROOT / "tasks.py", project)
    for name, text in {"app.py": UNTIDY, **files}.items():
        (project / name).write_text(text)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    return gates(project)


def test_where_nothing_is_configured_style_is_nobodys_business(project: Path) -> None:
    found = foreign(project)
    assert found.layout() == "none: nothing configures ruff"
    assert found.ruff().endswith("files"), "nor is anything said of what Longshore brings"
    assert found.yaml().endswith("files")


def test_where_nothing_is_configured_mistakes_are_found(project: Path) -> None:
    with pytest.raises(GateFailed, match="ruff found 1 problem"):
        foreign(project, **{"app.py": "import json\n"}).ruff()
    with pytest.raises(GateFailed, match="yamllint found 1 problem"):
        foreign(project, **{"k8s/a.yaml": "a: 1\na: 2\n"}).yaml()


@pytest.mark.parametrize(
    "configured", [{"ruff.toml": ""}, {"pyproject.toml": "[tool.ruff]\n"}, {"pyproject.toml": "[tool.ruff.lint]\n"}]
)
def test_a_project_that_configures_ruff_is_held_to_that(project: Path, configured: dict[str, str]) -> None:
    found = foreign(project, **configured)
    with pytest.raises(GateFailed, match="not formatted"):
        found.layout()


def test_a_project_that_configures_yamllint_is_held_to_that(project: Path) -> None:
    with pytest.raises(GateFailed, match="yamllint found"):
        foreign(project, **{".yamllint": "extends: default\n"}).yaml()


def test_a_name_that_no_text_can_hold_is_a_name(project: Path) -> None:
    (project / os.fsdecode(b"latin-\xe9.py")).write_text("ONE = 1\n")
    assert Gates.ruff(gates(project)) == "3 files"


# What decides and does not belong to the sources: it lies above the project, or in it and git ignores it.
ABOVE = {
    "../pytest.ini": "[pytest]\naddopts = -k good\n",
    "../tox.ini": "[pytest]\naddopts = -k good\n",
    "pytest.ini": "[pytest]\naddopts = -k good\n",
    "conftest.py": "collect_ignore_glob = ['*bad*']\n",
}


@pytest.mark.parametrize("own", ["", "[project]\nname = 'shop'\nversion = '1'\n", FILES["pyproject.toml"]])
@pytest.mark.parametrize("above", ABOVE)
def test_a_configuration_outside_of_the_sources_decides_nothing(tmp_path: Path, above: str, own: str) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    more = {"tests/test_bad.py": "def test_bad():\n    assert False\n", ".gitignore": "/*.ini\n/conftest.py\n"}
    made(folder, FILES | more | {"pyproject.toml": own})
    if not own:
        (folder / "pyproject.toml").unlink()
    (folder / above).write_text(ABOVE[above])
    if above == "conftest.py":
        (tmp_path / "setup.py").touch()
    with pytest.raises(GateFailed, match="1 of 2 tests failed"):
        unit(gates(folder))


@pytest.mark.parametrize("place", [".hadolint.yaml", ".config/hadolint.yaml"])
def test_a_users_own_hadolint_configuration_decides_nothing(project: Path, tmp_path: Path, place: str) -> None:
    (project / "Dockerfile").write_text("FROM debian\nUSER 65534\n")
    home = tmp_path / "home" / place
    home.parent.mkdir(parents=True)
    home.write_text("ignored: [DL3006]\n")
    with pytest.raises(GateFailed, match="hadolint found 1"):
        gates(project, HOME=str(tmp_path / "home")).dockerfile()
    (project / ".hadolint.yml").write_text("ignored: [DL3006]\n")
    gates(project).dockerfile()


@pytest.mark.parametrize("place", ["../ruff.toml", "ruff.toml", "../home/.config/ruff/ruff.toml"])
def test_a_ruff_configuration_outside_of_the_sources_decides_nothing(tmp_path: Path, place: str) -> None:
    folder, home = tmp_path / "shop", tmp_path / "home"
    described = "[project]\nname = 'shop'\nversion = '1'\nrequires-python = '>=3.9'\n"
    more = {"a.py": "import os\n", "backend/ruff.toml": "", ".gitignore": "/ruff.toml\n", "pyproject.toml": described}
    made(folder, FILES | more)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text("exclude = ['a.py', 'tests']\n[lint]\nignore = ['F401']\n")
    with pytest.raises(GateFailed, match="ruff found 1"):
        gates(folder, HOME=str(home)).ruff()
    (folder / "a.py").write_text("match 1:\n    case 1:\n        pass\n")
    with pytest.raises(GateFailed) as caught:
        gates(folder, HOME=str(home)).ruff()
    assert "3.9" in caught.value.detail


@pytest.mark.parametrize("place", [".config/git/ignore", ".gitconfig"])
def test_what_a_user_has_git_ignore_is_examined_if_the_sources_hold_it(
    project: Path, tmp_path: Path, place: str
) -> None:
    made(project, {"a.py": "import os\n"})
    file = tmp_path / "home" / place
    file.parent.mkdir(parents=True)
    (file.parent / "ignored").write_text("a.py\n")
    file.write_text("a.py\n" if place.endswith("ignore") else f"[core]\nexcludesfile = {file.parent}/ignored\n")
    with pytest.raises(GateFailed, match="ruff found 1"):
        gates(project, HOME=str(tmp_path / "home")).ruff()
