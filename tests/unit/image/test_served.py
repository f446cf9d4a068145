"""What looks like the application to serve, among the ways in which small repositories are laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.image.made import FACTORY, FASTAPI, FLASK, NEEDS, PAIR, command, made, served


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
        ({"shop/__init__.py": FACTORY.replace("create_app", "create_flask_app")}, "shop:create_flask_app()"),
        (
            {"shop/app.py": FACTORY.replace("create_app", "app_factory"), "shop/__init__.py": ""},
            "shop.app:app_factory()",
        ),
        ({"service.py": "web = app_factory()\n"}, "service:web"),
        ({"celery_worker.py": "app = create_app('x')\n", "shop.py": "app = create_app('y')\n"}, "shop:app"),
        ({"worker.py": "app = create_app('x')\n", "zoo.py": "app = create_app('y')\n"}, "zoo:app"),
        ({"a.py": FLASK, "b.py": FLASK, ".env": "X=1\nFLASK_APP=b\n", ".flaskenv": "FLASK_APP=a.py\n"}, "b:app"),
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


def test_dash_is_served_from_where_its_layout_is(tmp_path: Path) -> None:
    app = "import dash\napp = dash.Dash(__name__)\nserver = app.server\n"
    files = {"app.py": app, "index.py": "from app import app\nfig.layout = 1\napp.layout = 2\n"}
    assert served(tmp_path, files)[-1] == "index:app.server"
    assert served(tmp_path, {"index.py": "from app import app\n"})[-1] == "app:server"


def test_an_application_that_the_builder_is_not_sent_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.dockerignore leaves out app\.py, which the image is made from"):
        served(tmp_path, {"app.py": FLASK, ".dockerignore": "*.py\n"})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("api/app.py", "web/app.py"),
        ("services/api/main.py", "services/web/main.py"),
        ("shop/__init__.py", "store/__init__.py"),
    ],
)
def test_of_two_applications_the_settings_name_one(tmp_path: Path, first: str, second: str) -> None:
    files = dict.fromkeys((first, second), FLASK)
    with pytest.raises(BadInput, match=f"{first} and {second} both look like the application to serve") as caught:
        served(tmp_path, files)
    folders = [name.rpartition("/")[0] for name in (first, second)]
    assert f'`path = "{folders[0]}"` or `path = "{folders[1]}"` under [application] says which' in caught.value.hint
    for folder in folders:
        assert served(tmp_path, files, path=folder)[-1].endswith(":app")
    assert served(tmp_path, files | {".flaskenv": f"FLASK_APP={first}\n"})


@pytest.mark.parametrize(
    "other", ["web/blog/app.py", "web/server.py", "tests/app.py", "web/main.py", "worker/app.py", "api/views/app.py"]
)
def test_what_is_less_likely_the_application_is_no_rival(tmp_path: Path, other: str) -> None:
    files = {"api/app.py": FLASK, other: "app = Celery()\n" if other.startswith("worker") else FLASK}
    assert served(tmp_path, files)[-1] == "app:app"


def test_the_application_is_where_its_lock_is(tmp_path: Path) -> None:
    files = {
        "shop/requirements.txt": "flask\n",
        "shop/app.py": FLASK,
        "admin/app.py": FLASK,
        "admin/__init__.py": FLASK,
    }
    lines = made(tmp_path, files)
    assert (command(lines)[-1], "ENV PYTHONPATH=/srv/shop" in lines) == ("app:app", True)


def test_the_application_is_in_its_folder_whatever_lies_beside_its_lock(tmp_path: Path) -> None:
    files = {"backend/requirements.txt": "flask\n", "backend/api.py": FLASK, "web/hello.py": FLASK, "start.py": FLASK}
    assert command(made(tmp_path, files, path="web"))[-1] == "hello:app"
    assert command(made(tmp_path, files))[-1] == "api:app"
