"""The Dockerfile of an application that has none: what it installs, and what it serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.image import generated
from tests.unit.image.made import FLASK, made

HASH = "a" * 64


def command(lines: list[str]) -> list[str]:
    (line,) = (line for line in lines if line.startswith("CMD "))
    return list(json.loads(line.removeprefix("CMD ")))


def installs(lines: list[str]) -> list[str]:
    return [line.partition("version-check ")[2] for line in lines if "pip install" in line and "/opt/venv" in line]


def test_what_serves_and_what_is_installed_follow_from_the_sources(tmp_path: Path) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask\n"})
    assert command(lines) == ["gunicorn", "--bind=0.0.0.0:8000", "--workers=2", "--threads=8", "app:app"]
    assert installs(lines) == ["--requirement=requirements.txt", generated.SERVERS["gunicorn"]]
    assert lines[1] == "FROM python:3.11-slim-bookworm AS dependencies"
    assert {"USER 10001:10001", "EXPOSE 8000", "WORKDIR /srv"} <= set(lines)


@pytest.mark.parametrize(
    "pins", ["flask\nGunicorn==23\n", 'name = "gunicorn"\nversion = "23"\n', "gunicorn[gevent] >= 20\n"]
)
def test_a_server_that_is_locked_is_not_installed_again(tmp_path: Path, pins: str) -> None:
    assert installs(made(tmp_path, {"app.py": FLASK, "requirements.txt": pins})) == ["--requirement=requirements.txt"]


@pytest.mark.parametrize(
    ("files", "served"),
    [
        ({"wsgi.py": "from shop import create_app\napplication = create_app()\n"}, "wsgi:application"),
        ({"shop/__init__.py": "def create_app(config=None):\n    pass\n"}, "shop:create_app()"),
        ({"src/shop/__init__.py": "def create_app():\n    pass\n"}, "shop:create_app()"),
        ({"src/shop/__init__.py": "", "src/shop/app.py": FLASK}, "shop.app:app"),
        ({"service.py": "", "main.py": "def application(environ, start_response):\n    pass\n"}, "main:application"),
        ({"tests/__init__.py": "app = 1\n", "server.py": "app: Flask = Flask(__name__)\n"}, "server:app"),
        ({"app.py": "app = None\n", "main.py": FLASK}, "main:app"),
    ],
)
def test_the_application_is_found_where_it_usually_is(tmp_path: Path, files: dict[str, str], served: str) -> None:
    lines = made(tmp_path, {**files, "requirements.txt": "flask\n"})
    assert command(lines)[-1] == served
    assert ("ENV PYTHONPATH=/srv/src" in lines) == any(name.startswith("src/") for name in files)


def test_an_asynchronous_application_gets_a_server_of_its_kind(tmp_path: Path) -> None:
    lines = made(
        tmp_path, {"main.py": "from fastapi import FastAPI\napp = FastAPI()\n", "requirements.txt": "fastapi\n"}
    )
    assert command(lines) == ["uvicorn", "--host=0.0.0.0", "--port=8000", "main:app"]
    assert installs(lines)[-1] == generated.SERVERS["uvicorn"]


def test_waitress_serves_where_it_is_locked(tmp_path: Path) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": "flask\nwaitress==3.0.2\n"})
    assert command(lines) == ["waitress-serve", "--listen=0.0.0.0:8000", "app:app"]
    assert installs(lines) == ["--requirement=requirements.txt"]


def test_a_procfile_and_the_settings_say_what_serves(tmp_path: Path) -> None:
    files = {
        "Procfile": "release: flask db upgrade\nweb: gunicorn shop:app --log-file -\n",
        "requirements.txt": "flask\n",
    }
    assert command(made(tmp_path, files)) == ["sh", "-c", "exec gunicorn shop:app --log-file -"]
    assert command(made(tmp_path, files, command=["python", "run.py"])) == ["python", "run.py"]


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


def test_where_nothing_says_what_to_install_or_to_serve_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing says what the application depends on"):
        made(tmp_path, {"app.py": FLASK})
    with pytest.raises(BadInput, match="nothing looks like the application to serve"):
        made(tmp_path, {"app.py": "print('hello')\n", "requirements.txt": "flask\n"})


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            ".python-version",
            "3.12.3\n3.11\n",
            r"\.python-version names Python 3\.12\.3, and the image would have 3\.11",
        ),
        ("runtime.txt", "python-3.12.3\n", r"runtime\.txt names Python 3\.12"),
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


@pytest.mark.parametrize("marker", ["sys_platform == 'win32'", 'platform_system=="Windows"', "os_name == 'nt'"])
def test_what_only_windows_gets_is_not_there(tmp_path: Path, marker: str) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": f"flask\nwaitress==3.0.2 ; {marker}\n"})
    assert command(lines)[0] == "gunicorn"


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
        ("environment.yml", "`pip list --format=freeze > requirements.txt` makes one of environment.yml"),
        ("requirements.in", '`requirements = "requirements.in"` under [application] takes it'),
    ],
)
def test_where_no_lock_is_found_what_is_there_is_named(tmp_path: Path, file: str, said: str) -> None:
    with pytest.raises(BadInput, match="nothing says what the application depends on") as caught:
        made(tmp_path, {"app.py": FLASK, file: "", "docs/requirements.txt": "", "tests/requirements.txt": ""})
    assert said in caught.value.hint
    assert "docs" not in caught.value.hint


def test_what_only_the_authors_install_serves_nobody(tmp_path: Path) -> None:
    package = {"version": "==20", "hashes": [f"sha256:{HASH}"]}
    lock = json.dumps({"default": {"flask": package}, "develop": {"gunicorn": package}})
    assert installs(made(tmp_path, {"app.py": FLASK, "Pipfile.lock": lock}))[-1] == generated.SERVERS["gunicorn"]


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


def test_a_lock_that_the_settings_name_and_the_sources_lack_is_a_sentence(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n"}
    with pytest.raises(
        BadInput, match=r"requirements under \[application\] is reqs/prod\.txt, which the sources do not have"
    ):
        made(tmp_path, files, requirements="reqs/prod.txt")


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


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[project]\nname = "shop"\ndynamic = ["dependencies"]\n'},
        {"pyproject.toml": '[tool.poetry]\nname = "shop"\n'},
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


def test_the_servers_that_a_procfile_runs_are_installed_where_nobody_pins_them(tmp_path: Path) -> None:
    files = {"Procfile": "web: gunicorn -k uvicorn.workers.UvicornWorker main:app\n", "requirements.txt": "fastapi\n"}
    assert installs(made(tmp_path, files))[1:] == [generated.SERVERS["gunicorn"], generated.SERVERS["uvicorn"]]
    files["requirements.txt"] = "fastapi\ngunicorn==20\n"
    assert installs(made(tmp_path, files))[1:] == [generated.SERVERS["uvicorn"]]
    assert installs(made(tmp_path, files, command=["python", "-m", "flask", "run"]))[1:] == []


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
