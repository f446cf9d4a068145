"""Which server an image has whose Dockerfile is made, and with which options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore.image import generated
from tests.unit.image.made import FASTAPI, FLASK, HASH, command, installs, made, served

CONNEXION = "import connexion\nfrom connexion import FlaskApp\n"


@pytest.mark.parametrize(
    "pins", ["flask\nGunicorn==23\n", 'name = "gunicorn"\nversion = "23"\n', "gunicorn[gevent] >= 20\n"]
)
def test_a_server_that_is_locked_is_not_installed_again(tmp_path: Path, pins: str) -> None:
    assert installs(made(tmp_path, {"app.py": FLASK, "requirements.txt": pins})) == ["--requirement=requirements.txt"]


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


@pytest.mark.parametrize("marker", ["sys_platform == 'win32'", 'platform_system=="Windows"', "os_name == 'nt'"])
def test_what_only_windows_gets_is_not_there(tmp_path: Path, marker: str) -> None:
    lines = made(tmp_path, {"app.py": FLASK, "requirements.txt": f"flask\nwaitress==3.0.2 ; {marker}\n"})
    assert command(lines)[0] == "gunicorn"


def test_what_only_the_authors_install_serves_nobody(tmp_path: Path) -> None:
    package = {"version": "==20", "hashes": [f"sha256:{HASH}"]}
    lock = json.dumps({"default": {"flask": package}, "develop": {"gunicorn": package}})
    assert installs(made(tmp_path, {"app.py": FLASK, "Pipfile.lock": lock}))[-1] == generated.SERVERS["gunicorn"]


def test_the_servers_that_a_procfile_runs_are_installed_where_nobody_pins_them(tmp_path: Path) -> None:
    files = {"Procfile": "web: gunicorn -k uvicorn.workers.UvicornWorker main:app\n", "requirements.txt": "fastapi\n"}
    assert installs(made(tmp_path, files))[1:] == [generated.SERVERS["gunicorn"], generated.SERVERS["uvicorn"]]
    files["requirements.txt"] = "fastapi\ngunicorn==20\n"
    assert installs(made(tmp_path, files))[1:] == [generated.SERVERS["uvicorn"]]
    assert installs(made(tmp_path, files, command=["python", "-m", "flask", "run"]))[1:] == []


def test_what_dash_serves_by_needs_no_name_of_its_own(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "dash==2.14\n",
        "app.py": "from dash import Dash\n\napp = Dash(__name__)\napp.layout = 1\n",
    }
    assert served(tmp_path, files) == ["waitress-serve", "--listen=0.0.0.0:8000", "app:app.server"]
    assert any("install" in line and "waitress==" in line for line in made(tmp_path, files))
    guarded = made(tmp_path, files | {"uv.lock": "", "pyproject.toml": ""})
    assert any("test -x /opt/venv/bin/waitress-serve ||" in line for line in guarded)
    (tmp_path / "uv.lock").unlink()
    files["app.py"] += "app.run_server(debug=True)\n"
    assert served(tmp_path, files)[:3] == ["env", "FLASK_RUN_FROM_CLI=true", "waitress-serve"]


def test_socketio_gets_one_process_and_the_worker_of_what_is_installed(tmp_path: Path) -> None:
    for pins, words in (
        ("", ["--threads=100"]),
        ("gevent\n", ["--worker-class=gevent"]),
        ("gevent-websocket\n", ["--worker-class=geventwebsocket.gunicorn.workers.GeventWebSocketWorker"]),
        ("eventlet\n", ["--worker-class=eventlet"]),
    ):
        files = {"requirements.txt": f"Flask-SocketIO\n{pins}", "app.py": FLASK}
        assert served(tmp_path, files) == ["gunicorn", "--bind=0.0.0.0:8000", "--workers=1", *words, "app:app"]
        older = any("gunicorn==23.0.0" in line for line in made(tmp_path, files))
        assert older == (pins in ("eventlet\n", "gevent\n")), "later ones take no older release of these"


def test_what_gunicorns_own_file_says_is_not_said_again(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "gunicorn.conf.py": "workers = 1\n"}
    assert served(tmp_path, files) == ["gunicorn", "--bind=0.0.0.0:8000", "app:app"]


@pytest.mark.parametrize(
    ("pins", "files", "server"),
    [
        ("fastapi\n", {"main.py": "from shop import create_app\napp = create_app()\n"}, "uvicorn"),
        ("starlette\nflask\n", {"main.py": "from shop import create_app\napp = create_app()\n"}, "gunicorn"),
        ("flask\n", {"main.py": FASTAPI}, "uvicorn"),
        (
            "quart\nflask\n",
            {"main.py": "from shop import app\napp = app\n", "shop/__init__.py": "import quart\napp = 1\n"},
            "uvicorn",
        ),
        ("connexion[flask]\n", {"app.py": f"{CONNEXION}site = connexion.FlaskApp(__name__)\n"}, "uvicorn"),
        ("connexion[flask]\n", {"app.py": f"{CONNEXION}def create_app():\n    return FlaskApp(1)\n"}, "uvicorn"),
        (
            "connexion==3.1.0\n",
            {
                "app.py": "import config\napp = config.site\n",
                "config.py": f"{CONNEXION}site = connexion.App(__name__)\n",
            },
            "uvicorn",
        ),
        ("connexion==3.1.0\n", {"app.py": f"{CONNEXION}site = FlaskApp(1)\napp = site.app\n"}, "gunicorn"),
        ("connexion==3.1.0\n", {"app.py": f"{CONNEXION}def create_app():\n    return site.app\n"}, "gunicorn"),
        ("connexion==3.1.0\n", {"app.py": FLASK}, "gunicorn"),
        ("connexion==2.14.2\n", {"app.py": f"{CONNEXION}app = connexion.FlaskApp(__name__)\n"}, "gunicorn"),
        ("connexion[swagger-ui]>=2,<3\n", {"app.py": f"{CONNEXION}app = connexion.App(__name__)\n"}, "gunicorn"),
    ],
)
def test_the_server_is_of_the_applications_kind(tmp_path: Path, pins: str, files: dict[str, str], server: str) -> None:
    assert served(tmp_path, files | {"requirements.txt": pins})[0] == server
