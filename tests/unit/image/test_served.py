"""What looks like the application to serve, among the ways in which small repositories are laid out."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.image.made import FLASK, made

FACTORY = "def create_app(config=None):\n    pass\n"
NEEDS = "def create_app(config_name):\n    pass\n"
PAIR = "def create_app():\n    if LATER:\n        return None\n    return Flask(''), db\n"
FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"


def served(folder: Path, files: dict[str, str], **settings: object) -> list[str]:
    lines = made(folder, {"requirements.txt": "flask\n"} | files, **settings)
    (line,) = (line for line in lines if line.startswith("CMD "))
    return list(json.loads(line.removeprefix("CMD ")))


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"shop/__init__.py": f"from x import Api\napi = Api()\n{FACTORY}"}, "shop:create_app()"),
        ({"app.py": "import dash\napp = dash.Dash(__name__)\nserver = app.server\n"}, "app:server"),
        ({"shop/__init__.py": FACTORY, "shop/app.py": "app = Blueprint('app', __name__)\n"}, "shop:create_app()"),
        ({"app.py": "app: flask.Flask = flask.Flask(__name__)\n"}, "app:app"),
        ({"app.py": "flask_app = Flask(__name__)\n"}, "app:flask_app"),
        ({"app.py": "if app == 1:\n    pass\napp == 2\n", "main.py": FLASK}, "main:app"),
        (
            {"wsgi.py": "from shop.web import app as application\n", "shop/web.py": "app = Flask(__name__)\n"},
            "wsgi:application",
        ),
        ({"wsgi.py": "from shop.web import app\n\nif __name__ == '__main__':\n    app.run()\n"}, "wsgi:app"),
        ({"wsgi.py": "from shop import create_app\n", "shop/__init__.py": FACTORY}, "shop:create_app()"),
        ({"run.py": "from shop import make\napp = make()\n"}, "run:app"),
        ({"app/__init__.py": NEEDS, "flasky.py": "app = create_app('default')\n"}, "flasky:app"),
        (
            {"app/__init__.py": FACTORY, "shop.py": "app = create_app()\n", ".flaskenv": "FLASK_APP=shop.py\n"},
            "shop:app",
        ),
        (
            {"app.py": FLASK, "shop/web.py": FACTORY, ".flaskenv": "# x\nexport FLASK_APP='shop.web'\n"},
            "shop.web:create_app()",
        ),
        (
            {"shop/web.py": NEEDS, ".flaskenv": "FLASK_APP=\"shop.web:create_app('live')\"\n"},
            "shop.web:create_app('live')",
        ),
        ({"src/shop/web.py": FACTORY, ".flaskenv": "FLASK_APP=shop.web:create_app\n"}, "shop.web:create_app()"),
        ({"app.py": FLASK, ".flaskenv": "FLASK_APP=gone.py\n"}, "app:app"),
        ({"app.py": f"{FLASK}app.run(debug=True)\n", "main.py": FLASK}, "main:app"),
        (
            {"shop/__init__.py": "from .factory import create_app\n", "shop/factory.py": FACTORY},
            "shop.factory:create_app()",
        ),
        ({"app.py": "try:\n    import x\n    app = Flask(__name__)\nexcept ImportError:\n    raise\n"}, "app:app"),
        ({"app.py": "if LIVE:\n    app = make_app('live')\nelse:\n    app = make_app('dev')\n"}, "app:app"),
        ({"app.py": "with quiet():\n    app = (\n        Flask(__name__)\n    )\n"}, "app:app"),
        ({"app.py": "def f():\n    app = Flask('')\n", "main.py": f"{FLASK}if 1:\n    pass\n"}, "main:app"),
        ({"app.py": '"""Say:\napp = Flask(__name__)\n"""\n', "main.py": FLASK}, "main:app"),
        ({"app.py": f"{FLASK}if sys.argv:\n    app.run()\n", "main.py": FLASK}, "main:app"),
        ({"wsgi.py": "from shop import (\n    db,\n    app,\n)\n", "shop/web.py": FLASK}, "wsgi:app"),
        ({"api/index.py": FLASK, "tests/app.py": FLASK, "examples/a.py": FLASK}, "index:app"),
        ({"api/index.py": f"from api.db import x\n{FLASK}"}, "api.index:app"),
        ({"web/backend/main.py": FACTORY}, "main:create_app()"),
        ({"app.py": f"x = t'{{1}}' except\n{FLASK}"}, "app:app"),
        ({"app.py": f"{FLASK}deep = {'(' * 300}{')' * 300}\n"}, "app:app"),
        ({"web.py": "from flask import Flask\nweb = Flask('')\nweb.run()\n", "z.py": FLASK}, "z:app"),
        ({"hello.py": FLASK, "setup.py": "application = 1\n"}, "hello:app"),
        ({"shop/__init__.py": "def init_app():\n    pass\n"}, "shop:init_app()"),
        (
            {"app.py": "from app import create_app\napp = create_app()\n", "app/__init__.py": FACTORY},
            "app:create_app()",
        ),
        ({"run.py": "app, socketio = create_app()\n"}, "run:app"),
        ({"run.py": "(db, app) = parts = make()\n"}, "run:app"),
        ({"run.py": "[application, *more] = make()\n"}, "run:application"),
        ({"app.py": "app, db = None, SQLAlchemy()\n", "web.py": "db, web = SQLAlchemy(), Flask('')\n"}, "web:web"),
        ({"app.py": "(app, db), x = make()\n", "main.py": FLASK}, "main:app"),
        ({"web.py": "web, db = create_app()\n", "z.py": FLASK}, "z:app"),
        ({"shop/__init__.py": PAIR, "start.py": "app, sockets = create_app()\n"}, "start:app"),
    ],
)
def test_the_application_is_what_can_be_called(tmp_path: Path, files: dict[str, str], target: str) -> None:
    assert served(tmp_path, files)[-1] == target


def test_a_folder_that_the_settings_name_may_be_called_as_one_that_is_passed_over(tmp_path: Path) -> None:
    files = {"examples/shop/__init__.py": "", "examples/shop/app.py": f"from .config import x\n{FLASK}"}
    assert served(tmp_path, files, path="examples/shop")[-1] == "shop.app:app"


@pytest.mark.filterwarnings("always")
def test_what_python_warns_an_author_of_is_not_said(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert served(tmp_path, {"app.py": f"{FLASK}SPACES = '\\s+'\n"})[-1] == "app:app"
    assert not recwarn.list


def test_a_factory_that_needs_an_argument_is_no_application_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing looks like the application to serve") as caught:
        served(tmp_path, {"app/__init__.py": NEEDS})
    assert "create_app in app/__init__.py needs an argument" in caught.value.hint
    files = {
        "app/__init__.py": "def create_app(\n    config: str = 'x',\n    *more: int,\n    a=(1, 2),\n) -> Flask:\n"
    }
    assert served(tmp_path, files)[-1] == "app:create_app()"


def test_a_factory_that_makes_more_than_the_application_is_none_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing looks like the application to serve") as caught:
        served(tmp_path, {"shop/__init__.py": PAIR})
    said = (
        "create_app in shop/__init__.py returns more than the application: a wsgi.py that calls it and names that `app`"
    )
    assert said in caught.value.hint
    inner = "def create_app():\n    def both():\n        return 1, 2\n    return Flask('')\n"
    assert served(tmp_path, {"shop/__init__.py": inner})[-1] == "shop:create_app()"


def test_a_folder_that_is_no_package_is_on_the_path(tmp_path: Path) -> None:
    files = {"backend/app.py": f"from models import db\n{FLASK}", "backend/requirements.txt": "flask\n"}
    settings = {"path": "backend", "requirements": "backend/requirements.txt"}
    assert served(tmp_path, files, **settings)[-1] == "app:app"
    assert "ENV PYTHONPATH=/srv/backend" in made(tmp_path, files, **settings)
    assert "ENV PYTHONPATH=/srv/backend" in made(tmp_path, files), "wherever it is said to be"
    (tmp_path / "backend" / "__init__.py").touch()
    assert served(tmp_path, files, **settings)[-1] == "backend.app:app"
    assert not any("PYTHONPATH" in line for line in made(tmp_path, files, **settings))


@pytest.mark.parametrize(
    ("files", "target", "root"),
    [
        (
            {
                "backend/app.py": f"from models import db\n{FLASK}",
                "backend/models/__init__.py": "from .user import U\n",
            },
            "app:app",
            "backend",
        ),
        ({"backend/app/main.py": f"from app.core import x\n{FASTAPI}"}, "app.main:app", "backend"),
        ({"backend/app/__init__.py": "", "backend/app/main.py": FASTAPI}, "app.main:app", "backend"),
        ({"backend/app/web/run.py": f"from ..core import x\n{FLASK}"}, "app.web.run:app", "backend"),
        ({"backend/app/main.py": f"from backend.app.core import x\n{FLASK}"}, "backend.app.main:app", ""),
        ({"backend/app.py": FLASK, "backend/tests/test_app.py": "from backend.app import app\n"}, "app:app", "backend"),
        ({"flask/app.py": FLASK}, "app:app", "flask"),
        ({"my app/main.py": FLASK}, "main:app", "my app"),
        (
            {"backend/__init__.py": "", "backend/app.py": f"from game import x\n{FLASK}", "backend/game.py": "x = 1\n"},
            "app:app",
            "backend",
        ),
        ({"shop/__init__.py": f"from flask_login import x\n{FLASK}"}, "shop:app", ""),
        ({"env/lib/site-packages/a/__init__.py": FLASK, "shop/__init__.py": FLASK}, "shop:app", ""),
        ({"src/main.py": f"from .config import x\n{FLASK}"}, "src.main:app", "src"),
        ({"src/main.py": f"from src.config import x\n{FLASK}"}, "src.main:app", "src"),
        ({"src/__init__.py": "", "src/main.py": f"from .config import x\n{FLASK}"}, "src.main:app", "src"),
    ],
)
def test_python_looks_where_the_imports_begin(tmp_path: Path, files: dict[str, str], target: str, root: str) -> None:
    assert served(tmp_path, files)[-1] == target
    paths = [line for line in made(tmp_path, files) if line.startswith("ENV PYTHONPATH=")]
    assert paths == ([f"ENV PYTHONPATH={shlex.quote(f'/srv/{root}')}"] if root else [])


def test_a_flask_application_that_runs_a_server_when_it_is_imported_is_told_not_to(tmp_path: Path) -> None:
    command = served(tmp_path, {"app.py": f"{FLASK}app.run(debug=True)\n"})
    assert command[0] == "gunicorn"
    assert command[-2:] == ["--env=FLASK_RUN_FROM_CLI=true", "app:app"]
    waits = served(tmp_path, {"requirements.txt": "waitress\n"})
    assert waits[:3] == ["env", "FLASK_RUN_FROM_CLI=true", "waitress-serve"]
    (tmp_path / "app.py").unlink()
    files = {"requirements.txt": "dash\n", "run.py": "import dash\napp = dash.Dash()\nserver = app.server\napp.run()\n"}
    assert served(tmp_path, files)[-2:] == ["--env=FLASK_RUN_FROM_CLI=true", "run:server"]


@pytest.mark.parametrize("text", [f"{FASTAPI}uvicorn.run(app)\n", f"{FLASK}socketio.run(app)\n"])
def test_a_server_that_cannot_be_told_is_to_be_moved(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="nothing looks like the application to serve") as caught:
        served(tmp_path, {"main.py": text})
    said = 'main.py runs a server when imported: put that below `if __name__ == "__main__":`, or '
    assert f'{said}`command = ["python", "main.py"]` under [application], if it listens on 0.0.0.0' in caught.value.hint


def test_a_factory_that_needs_an_argument_is_named_with_the_line_that_gives_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        served(tmp_path, {"backend/app/__init__.py": NEEDS})
    line = '`command = ["gunicorn", "--chdir=backend", "app:create_app(…)"]` under [application] gives it'
    assert f"create_app in backend/app/__init__.py needs an argument: {line}" in caught.value.hint


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


def test_dash_is_served_from_where_its_layout_is(tmp_path: Path) -> None:
    app = "import dash\napp = dash.Dash(__name__)\nserver = app.server\n"
    files = {"app.py": app, "index.py": "from app import app\nfig.layout = 1\napp.layout = 2\n"}
    assert served(tmp_path, files)[-1] == "index:app.server"
    assert served(tmp_path, {"index.py": "from app import app\n"})[-1] == "app:server"


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
    ],
)
def test_the_server_is_of_the_applications_kind(tmp_path: Path, pins: str, files: dict[str, str], server: str) -> None:
    assert served(tmp_path, files | {"requirements.txt": pins})[0] == server


def test_an_application_that_the_builder_is_not_sent_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.dockerignore leaves out app\.py, which the image is made from"):
        served(tmp_path, {"app.py": FLASK, ".dockerignore": "*.py\n"})
