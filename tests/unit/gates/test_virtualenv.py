"""What makes a suite run again in a virtualenv of its own, which Pythons uv is shown, which virtualenvs are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.gates import virtualenv
from longshore.gates.run import Gates
from longshore.process.runner import Runner
from longshore.settings.host import Host
from longshore.settings.load import load
from longshore.tasks import catalogue
from tests.unit.sources import snapshot_of

SETTINGS = (
    '[project]\nname = "shop"\n[environments.blue]\n[application]\npath = "."\n'
    '[gates.tests.unit]\npaths = ["tests"]\nreads = ["app.py"]\n'
)


def inputs(folder: Path, step: str, **files: str) -> dict[str, str]:
    """What the step reads in a project with FILES."""
    files = {"longshore.toml": SETTINGS, "requirements.txt": "-r base.txt\n", "base.txt": "click==8.0.4\n"} | files
    for name, text in files.items():
        (folder / name).write_text(text)
    snapshot = snapshot_of(folder)
    reads = catalogue.gates(load(folder, {}), Runner({}), lambda: snapshot).steps[step].reads
    assert reads is not None
    return reads.read(snapshot, {})


@pytest.mark.parametrize("step", ["test-unit", "types"])
def test_an_edit_of_the_lock_makes_suite_and_types_run_again(tmp_path: Path, step: str) -> None:
    before = inputs(tmp_path, step)
    assert inputs(tmp_path, step, **{"README.md": "read me"}) == before
    assert "tool *" not in before, "what the toolkit has installed is none of its business"
    for edit in (
        {"requirements.txt": "-r base.txt\nflask\n"},
        {"base.txt": "click==8.1.3\n"},
        {".python-version": "3.13\n"},
        {"longshore.toml": f'{SETTINGS}install = ["pytest-mock"]\n'},
    ):
        after = inputs(tmp_path, step, **edit)
        assert after["observed virtualenv"] != before["observed virtualenv"], edit
        (tmp_path / ".python-version").unlink(missing_ok=True)
    assert inputs(tmp_path, step) == before


def test_in_longshores_own_virtualenv_a_suite_reads_what_it_always_did(tmp_path: Path) -> None:
    ours = SETTINGS.replace("[gates.tests", '[gates]\nvirtualenv = "ours"\n[gates.tests')
    found = inputs(tmp_path, "test-unit", **{"longshore.toml": ours, "app.py": ""})
    assert set(found) == {"app.py", "tool python", "tool *", "setting gates.tests.unit.paths"}


def test_what_a_suite_needs_has_no_place_in_longshores_own_virtualenv(tmp_path: Path) -> None:
    text = SETTINGS.replace("[gates.tests", '[gates]\nvirtualenv = "ours"\n[gates.tests') + 'python = "3.12"\n'
    (tmp_path / "longshore.toml").write_text(text)
    with pytest.raises(BadInput, match=r"longshore\.toml:11: gates\.tests\.unit\.python is for the application's own"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    "line", ['python = "--seed"', 'install = ["--index-url=x"]', 'groups = ["-x"]', 'install = [""]']
)
def test_no_setting_is_an_option_of_uvs(tmp_path: Path, line: str) -> None:
    (tmp_path / "longshore.toml").write_text(f"{SETTINGS}{line}\n")
    with pytest.raises(BadInput, match=r"longshore\.toml:9: gates\.tests\.unit\."):
        load(tmp_path, {})


def test_uv_is_shown_the_pythons_behind_pyenvs_shims(tmp_path: Path) -> None:
    for version in ("3.12.1", "3.13.0"):
        (tmp_path / "pyenv/versions" / version / "bin").mkdir(parents=True)
    (tmp_path / "other/shims").mkdir(parents=True)
    shims, other = f"{tmp_path}/pyenv/shims", f"{tmp_path}/other/shims"
    versions = f"{tmp_path}/pyenv/versions"
    host = Host.read({"PATH": os.pathsep.join(("/venv/bin", shims, other, "/usr/bin"))})
    assert virtualenv.pythons(host).split(os.pathsep) == [
        *("/venv/bin", f"{versions}/3.12.1/bin", f"{versions}/3.13.0/bin", other, "/usr/bin")
    ]


def test_tests_import_what_lies_in_src_and_in_the_applications_folder(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(SETTINGS.replace('path = "."', 'path = "backend"'))
    for name in ("backend/app.py", "src/shop/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    gates = Gates(load(tmp_path, {}), Runner({}), lambda: snapshot_of(tmp_path))
    active = virtualenv.Virtualenv(folder=tmp_path / "venv", note="")
    assert gates._active(active)["PYTHONPATH"] == f"{tmp_path}/src:{tmp_path}/backend"
    (tmp_path / "backend" / "__init__.py").touch()
    assert gates._active(active)["PYTHONPATH"] == f"{tmp_path}/src", "a package is imported by its name"


@pytest.mark.parametrize(
    ("path", "files", "paths"),
    [
        ("backend/app", ("backend/uv.lock", "backend/app/__init__.py"), ["backend"]),
        ("backend", ("backend/pyproject.toml", "backend/src/shop/__init__.py"), ["backend/src", "backend"]),
        (".", ("backend/uv.lock", "backend/app.py", "src/a.py"), ["src", ".", "backend"]),
        (".", ("backend/requirements.txt", "backend/__init__.py"), ["."]),
    ],
)
def test_tests_import_what_lies_beside_the_lock(
    tmp_path: Path, path: str, files: tuple[str, ...], paths: list[str]
) -> None:
    (tmp_path / "longshore.toml").write_text(SETTINGS.replace('path = "."', f'path = "{path}"'))
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(
            '[project]\nname = "shop"\ndependencies = ["flask"]\n' if name.endswith("pyproject.toml") else ""
        )
    gates = Gates(load(tmp_path, {}), Runner({}), lambda: snapshot_of(tmp_path))
    found = gates._active(virtualenv.Virtualenv(folder=tmp_path / "venv", note="")).get("PYTHONPATH", "")
    assert found == os.pathsep.join(str(tmp_path / each) for each in paths)


def test_one_that_nobody_has_used_for_a_week_goes(tmp_path: Path) -> None:
    for name, used in (("old", 100.0), ("new", 300.0)):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / virtualenv.MADE).touch()
        os.utime(tmp_path / name / virtualenv.MADE, (used, used))
    (tmp_path / "being-made").mkdir()
    (tmp_path / "old.lock").touch()
    virtualenv.prune(tmp_path, 200.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["being-made", "new", "old.lock"]


def test_what_a_lock_has_in_the_repository_is_installed_from_there_and_not_linked() -> None:
    exported = (
        "-e ./libs/ours\n    # via shop\nmore @ file:///tmp/place/libs/more\nclick==8.1.3 \\\n    --hash=sha256:0\n"
    )
    assert virtualenv.anchored(exported, Path("/tmp/place"), Path("/repository")) == [
        *(
            "./libs/ours",
            "    # via shop",
            "more @ file:///repository/libs/more",
            "click==8.1.3 \\",
            "    --hash=sha256:0",
        )
    ]


def test_what_a_lock_below_the_top_has_in_the_repository_is_named_from_the_top() -> None:
    exported = "-e ../libs/ours ; python_version > '3'\n./more\nclick==8.1.3\nx @ file:///tmp/place/backend/x\n"
    assert virtualenv.anchored(exported, Path("/tmp/place"), Path("/repository"), "backend") == [
        *("./libs/ours ; python_version > '3'", "./backend/more", "click==8.1.3", "x @ file:///repository/backend/x")
    ]


def test_an_edit_of_a_lock_below_the_top_makes_the_suite_run_again(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    files = {"requirements.txt": "flask\n", "backend/uv.lock": "version = 1\n", "backend/.python-version": "3.12\n"}
    settings = SETTINGS.replace('path = "."', 'path = "backend"\nrequirements = "backend/uv.lock"')
    files |= {"longshore.toml": settings, "backend/pyproject.toml": '[project]\nname = "shop"\n'}
    before = inputs(tmp_path, "test-unit", **files)
    assert {name for name in before if name.startswith("backend/")} == {*files} - {"requirements.txt", "longshore.toml"}
    for name, edit in (("uv.lock", "# edited"), ("pyproject.toml", "[tool.uv]"), (".python-version", "3.13")):
        after = inputs(tmp_path, "test-unit", **files | {f"backend/{name}": f"{edit}\n{files[f'backend/{name}']}"})
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {f"backend/{name}", "observed virtualenv"}


def test_a_folder_of_wheels_is_looked_for_in_the_workspace() -> None:
    lines = ["--find-links ./wheels", "./libs/ours", "--find-links https://example.com/wheels"]
    assert [virtualenv.found_in(line, Path("/repository")) for line in lines] == [
        "--find-links /repository/wheels",
        *lines[1:],
    ]


def test_a_second_index_that_the_requirements_name_is_asked_as_pip_asks_it() -> None:
    lines = ["--extra-index-url https://example.com/cpu", "torch==2.9.0", "requests==2.32.5"]
    assert virtualenv.asking(lines, {}) == ["--index-strategy=unsafe-best-match"]
    assert virtualenv.asking(lines, {"UV_INDEX_STRATEGY": "first-index"}) == []
    assert virtualenv.asking(lines[1:], {}) == []
