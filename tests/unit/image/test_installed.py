"""What a Dockerfile that is made installs, of each kind of lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.image import generated
from tests.unit.image.made import FLASK, HASH, installs, made


@pytest.mark.parametrize("lock", ["uv.lock", "poetry.lock", "pdm.lock"])
def test_a_tools_lock_is_exported_by_the_tool(tmp_path: Path, lock: str) -> None:
    lines = made(tmp_path, {"app.py": FLASK, lock: 'name = "gunicorn"\n', "pyproject.toml": ""})
    tool = lock.removesuffix(".lock")
    assert f'COPY ["pyproject.toml", "{lock}", "./"]' in lines
    assert any(line.lstrip().startswith(f"&& /opt/lock/bin/{tool} export") for line in lines)
    pinned, server = installs(lines)
    assert pinned == f"--requirement={generated.PINS}"
    guarded = next(line for line in lines if line.endswith(server))
    assert guarded.lstrip().startswith("test -x /opt/venv/bin/gunicorn || "), "only the tool knows what is installed"


def test_locks_that_any_program_reads_are_read_here(tmp_path: Path) -> None:
    pylock = '[[packages]]\nname = "flask"\nversion = "3.1"\nmarker = "python_version > \'3\'"\n[[packages.wheels]]\n'
    lines = made(tmp_path, {"app.py": FLASK, "pylock.toml": f'{pylock}hashes = {{ sha256 = "{HASH}" }}\n'})
    assert f"flask==3.1 ; python_version > '3' --hash=sha256:{HASH}" in lines
    (tmp_path / "pylock.toml").unlink()
    package = {"version": "==3.1", "hashes": [f"sha256:{HASH}"], "extras": ["async"], "markers": "python_version > '3'"}
    lines = made(tmp_path, {"Pipfile.lock": json.dumps({"default": {"flask": package}, "develop": {"x": {}}})})
    assert f"flask[async]==3.1 ; python_version > '3' --hash=sha256:{HASH}" in lines


def test_a_pylock_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "pylock.web.toml": '[[packages]]\nname = "flask"\nversion = "3.1"\n'}
    with pytest.raises(BadInput) as refused:
        made(tmp_path, files)
    assert '`requirements = "pylock.web.toml"` under [application] takes it' in refused.value.hint
    assert "flask==3.1" in [line.strip() for line in made(tmp_path, {}, requirements="pylock.web.toml")]


def test_what_a_requirements_file_includes_is_copied_as_well(tmp_path: Path) -> None:
    files = {
        "reqs/web.txt": "-r base.txt\n-c ../pins.txt\nflask\n",
        "reqs/base.txt": "",
        "pins.txt": "",
        "app.py": FLASK,
    }
    lines = made(tmp_path, files, requirements="reqs/web.txt")
    copied = [line for line in lines if line.startswith("COPY [")]
    assert copied == [f'COPY ["{name}", "{name}"]' for name in ("reqs/web.txt", "reqs/base.txt", "pins.txt")]
    (tmp_path / "reqs" / "web.txt").write_text("-e .\nflask\n")
    assert "COPY . ." in made(tmp_path, {}, requirements="reqs/web.txt")[:6]


def test_what_is_built_from_source_gets_what_it_needs(tmp_path: Path) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask\npsycopg2==2.9\n"})
    build, run = (line for line in lines if "apt-get install" in line)
    assert ("libpq-dev" in build, "gcc" in build, "libpq5" in run, "gcc" in run) == (True, True, True, False)
    plain = made(tmp_path, {"requirements.txt": "flask\npsycopg2-binary==2.9\n"})
    assert not [line for line in plain if "apt-get" in line]


@pytest.mark.parametrize(
    ("pin", "built"),
    [
        ("psycopg2-binary==2.8.6", True),
        ("psycopg2_binary == 2.9.3 ; python_version > '3'", True),
        ("psycopg2-binary==2.9.9", False),
        ("psycopg2-binary==2.9.10", False),
        ("psycopg2-binary>=2.8", False),
    ],
)
def test_a_release_from_before_todays_pythons_is_built_from_source(tmp_path: Path, pin: str, built: bool) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": f"{pin}\nflask\n"})
    assert any("libpq-dev" in line for line in lines) == built


def test_what_included_files_pin_decides_server_and_system_packages_as_well(tmp_path: Path) -> None:
    files = {
        "app.py": FLASK,
        "requirements.txt": "-r reqs/base.txt\n",
        "reqs/base.txt": "gunicorn==20\npsycopg2==2.9\n",
    }
    lines = made(tmp_path, files)
    assert installs(lines) == ["--requirement=requirements.txt"]
    assert any("libpq-dev" in line for line in lines)


def test_what_a_powershell_wrote_is_read(tmp_path: Path) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": "gunicorn==20\r\nflask\r\n".encode("utf-16")})
    assert installs(lines) == ["--requirement=requirements.txt"]


@pytest.mark.parametrize("line", ["pkg-resources==0.0.0", "pkg_resources==0.0.0", "pywin32==306", "pyobjc-core == 9.2"])
def test_what_no_linux_has_is_left_out(tmp_path: Path, line: str) -> None:
    """`pip freeze` on Ubuntu, Windows and macOS writes it."""
    files = {"app.py": FLASK, "requirements.txt": f"flask==3.1\r\n{line}\r\n".encode("utf-16")}
    lines = made(tmp_path, files)
    assert "flask==3.1" in lines
    assert line not in lines
    assert installs(lines)[0] == f"--requirement={generated.PINS}"
    lines = made(tmp_path, files | {"requirements.txt": f"-c bounds.txt\nflask\n{line}\n", "bounds.txt": "flask<4\n"})
    bounds = lines.index(f"COPY <<'EOF' {generated.PINS}.bounds")
    assert lines[bounds : bounds + 3] == [lines[bounds], "flask<4", "EOF"]
    assert f"--constraint={generated.PINS}.bounds" in lines


def test_what_lay_on_another_machine_is_a_sentence(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask==3.1\ncertifi @ file:///opt/conda/certifi\n"}
    with pytest.raises(BadInput, match="certifi @ file:///opt/conda/certifi is a place on another machine") as caught:
        made(tmp_path, files)
    assert "`pip list --format=freeze > requirements.txt`" in caught.value.hint


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "flask\nours @ git+https://example.com/ours@1\n"},
        {"requirements.txt": "-r more.txt\n", "more.txt": "-e git+https://example.com/ours#egg=ours\n"},
        {"Pipfile.lock": '{"default": {"ours": {"git": "https://example.com/ours", "ref": "1"}}}'},
        {
            "uv.lock": '[[package]]\nname = "ours"\nsource = { git = "https://example.com/ours" }\n',
            "pyproject.toml": "",
        },
    ],
)
def test_what_comes_from_git_gets_git(tmp_path: Path, files: dict[str, str]) -> None:
    lines = made(tmp_path, {"app.py": FLASK, **files})
    (apt,) = (line for line in lines if "apt-get install" in line)
    assert " git " in apt
    assert lines.index(apt) < lines.index("FROM python:3.11-slim-bookworm"), "where it is built, not where it runs"


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "-e .\nflask\n", "pyproject.toml": ""},
        {"requirements.txt": "-r reqs/base.txt\n", "reqs/base.txt": "-e libs/ours\n", "libs/ours/setup.py": ""},
        {"Pipfile.lock": '{"default": {"ours": {"path": "libs/ours", "editable": true}}}', "libs/ours/setup.py": ""},
        {
            "uv.lock": '[[package]]\nname = "a"\nsource = { editable = "libs/a" }\n',
            "pyproject.toml": "",
            "libs/a/a.py": "",
        },
    ],
)
def test_what_lies_in_the_repository_is_installed_where_it_stays(tmp_path: Path, files: dict[str, str]) -> None:
    lines = made(tmp_path, {"app.py": FLASK, **files})
    first = lines[: lines.index("FROM python:3.11-slim-bookworm")]
    where = first.index("WORKDIR /srv")
    assert first[where + 1] == "COPY . ."
    assert not any("pip install" in line for line in first[:where])


def test_what_has_a_hash_is_installed_apart_from_what_can_have_none(tmp_path: Path) -> None:
    ours = {"git": "https://example.com/ours", "ref": "1"}
    lock = json.dumps({"default": {"flask": {"version": "==3", "hashes": [f"sha256:{HASH}"]}, "ours": ours}})
    lines = made(tmp_path, {"app.py": FLASK, "Pipfile.lock": lock})
    assert installs(lines)[:2] == [f"--no-deps --requirement={generated.PINS}.{part}" for part in ("hashed", "others")]
    start = lines.index(f"COPY <<'EOF' {generated.PINS}.hashed")
    assert lines[start + 1].split() == ["flask==3", f"--hash=sha256:{HASH}"]
    (tmp_path / "Pipfile.lock").unlink()
    lock = '[[package]]\nname = "ours"\nsource = { git = "https://example.com/ours" }\n'
    lines = made(tmp_path, {"uv.lock": lock, "pyproject.toml": ""})
    assert installs(lines)[:2] == [f"--no-deps --requirement={generated.PINS}.{part}" for part in ("hashed", "others")]


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[project]\nname = "shop"\ndependencies = ["flask>=3", "gunicorn>=20"]\n'},
        {"setup.cfg": "[metadata]\nname = shop\n[options]\ninstall_requires =\n    flask>=3\n    gunicorn>=20\n"},
        {"setup.py": "from setuptools import setup\nsetup(name='a', install_requires=['flask>=3', 'gunicorn>=20'])\n"},
    ],
)
def test_a_project_without_a_lock_is_installed_as_it_says(tmp_path: Path, files: dict[str, str]) -> None:
    lines = made(tmp_path, {"app.py": FLASK, **files})
    start = lines.index(f"COPY <<'EOF' {generated.PINS}")
    assert lines[start + 1 : start + 4] == ["flask>=3", "gunicorn>=20", "EOF"]
    assert installs(lines) == [f"--requirement={generated.PINS}"]
