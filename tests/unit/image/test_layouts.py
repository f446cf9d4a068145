"""The layouts of well-known Flask repositories and templates: what is served and what is installed of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct

from tests.unit.image.made import FLASK, NEEDS, command, made

PACKAGE = '{"scripts": {"build": "webpack"}}'
GUARDED = "if __name__ == '__main__':\n"


class Layout(Struct, frozen=True):
    """The FILES of a repository, what is `served` of it, an instruction that installs, and where Python looks."""

    files: dict[str, str]
    served: str
    installs: str
    path: str = ""


LAYOUTS = {
    "a tutorial with a package and extras": Layout(
        {
            "flaskr/__init__.py": "def create_app(test_config=None):\n    app = Flask(__name__)\n    return app\n",
            "pyproject.toml": '[project]\nname = "flaskr"\nversion = "1"\ndependencies = ["flask"]\n'
            '[project.optional-dependencies]\ntest = ["pytest"]\n[build-system]\nrequires = ["flit_core<4"]\n',
        },
        "flaskr:create_app()",
        "flask",
    ),
    "a blog with requirements for each place": Layout(
        {
            "flasky.py": "from app import create_app, db\napp = create_app(os.getenv('FLASK_CONFIG') or 'default')\n",
            "app/__init__.py": NEEDS,
            "config.py": "",
            "requirements/common.txt": "flask==2.2.5\n",
            "requirements/prod.txt": "-r common.txt\nmysqlclient==2.2.0\n",
            "requirements/dev.txt": "-r common.txt\n",
            "requirements/docker.txt": "-r prod.txt\n",
        },
        "flasky:app",
        'COPY ["requirements/common.txt", "requirements/common.txt"]',
    ),
    "a blog with a Procfile": Layout(
        {
            "microblog.py": "from app import create_app, db, cli\n\napp = create_app()\ncli.register(app)\n",
            "app/__init__.py": "def create_app(config_class=Config):\n    return Flask(__name__)\n",
            "app/cli.py": "",
            "requirements.txt": "flask\n",
            "Procfile": "web: flask db upgrade; flask translate compile; gunicorn microblog:app\nworker: rq worker\n",
        },
        "flask db upgrade; flask translate compile; exec gunicorn microblog:app",
        'COPY ["requirements.txt", "requirements.txt"]',
    ),
    "a template with assets": Layout(
        {
            "autoapp.py": "from shop.app import create_app\n\napp = create_app()\n",
            "shop/__init__.py": "",
            "shop/app.py": 'def create_app(config_object="shop.settings"):\n    return Flask("shop")\n',
            "Pipfile": '[packages]\nflask = "*"\n',
            "requirements/prod.txt": "flask==3.1\ngunicorn>=20\n",
            "requirements/dev.txt": "-r prod.txt\n",
            "package.json": PACKAGE,
        },
        "shop.app:create_app()",
        "RUN npm install --no-audit --no-fund && npm run build && rm -rf node_modules .npmrc .yarnrc*",
    ),
    "an interface with Poetry and a client": Layout(
        {
            "redash/__init__.py": "",
            "redash/app.py": "class Redash(Flask):\n    pass\n\n\ndef create_app():\n    return Redash()\n",
            "redash/wsgi.py": "from redash.app import create_app\n\napp = create_app()\n",
            "manage.py": f"from redash.cli import manager\n\n{GUARDED}    manager()\n",
            "pyproject.toml": '[tool.poetry]\nname = "redash"\n[tool.poetry.dependencies]\npython = ">=3.8,<3.12"\n',
            "poetry.lock": '[[package]]\nname = "gunicorn"\nversion = "22.0.0"\n',
            "client/package.json": PACKAGE,
        },
        "redash.wsgi:app",
        'COPY ["pyproject.toml", "poetry.lock", "./"]',
    ),
    "a library's layout": Layout(
        {
            "src/shop/__init__.py": "from flask import Flask\n\n\ndef create_app():\n    return Flask(__name__)\n",
            "setup.cfg": "[metadata]\nname = shop\n[options]\npackage_dir =\n    =src\npackages = find:\n"
            "install_requires =\n    flask>=2  # web\npython_requires = >=3.8\n",
            "setup.py": "from setuptools import setup\n\nsetup()\n",
        },
        "shop:create_app()",
        "flask>=2  # web",
        "/srv/src",
    ),
    "dependency groups and no lock": Layout(
        {
            "app.py": FLASK,
            "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask>=3"]\n'
            '[dependency-groups]\ndev = ["pytest"]\n',
        },
        "app:app",
        "flask>=3",
    ),
    "a server in a project": Layout(
        {
            "manage.py": f"from project.server import app, db\n\nmanager = Manager(app)\n{GUARDED}    manager.run()\n",
            "project/server/__init__.py": f"import os\n{FLASK}from project.server.main.views import main_blueprint\n",
            "project/server/main/views.py": "",
            "project/tests/test_main.py": "from project.server import app\n",
            "requirements.txt": "flask\n",
        },
        "project.server:app",
        'COPY ["requirements.txt", "requirements.txt"]',
    ),
    "an administration that runs itself": Layout(
        {
            "app/__init__.py": f"{FLASK}appbuilder = AppBuilder(app, SQLA(app).session)\n\nfrom . import views\n",
            "app/views.py": "",
            "run.py": "from app import app\n\napp.run(host='0.0.0.0', port=8080, debug=True)\n",
            "requirements.txt": "flask-appbuilder\n",
        },
        "app:app",
        'COPY ["requirements.txt", "requirements.txt"]',
    ),
    "a program that manages it": Layout(
        {
            "manage.py": f"app = create_app(os.getenv('C'))\nmanager = Manager(app)\n{GUARDED}    manager.run()\n",
            "app/__init__.py": NEEDS,
            "requirements.txt": "flask\n",
        },
        "manage:app",
        'COPY ["requirements.txt", "requirements.txt"]',
    ),
    "a backend of uv's with a source folder": Layout(
        {
            "backend/pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n',
            "backend/uv.lock": "version = 1\n",
            "backend/src/shop/__init__.py": "def create_app():\n    return Flask('')\n",
            "backend/src/shop/views.py": "from shop import models\n",
            "frontend/package.json": PACKAGE,
        },
        "shop:create_app()",
        'COPY ["backend/pyproject.toml", "backend/uv.lock", "./"]',
        "/srv/backend/src",
    ),
    "one folder with all of it": Layout(
        {
            "flask-app/app.py": f"from models import db\n{FLASK}",
            "flask-app/models.py": "",
            "requirements.txt": "flask\n",
        },
        "app:app",
        'COPY ["requirements.txt", "requirements.txt"]',
        "/srv/flask-app",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_well_known_layout_is_served_without_a_setting(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    lines = made(tmp_path, layout.files)
    assert command(lines)[-1] == layout.served
    assert layout.installs in lines
    paths = [line.partition("=")[2] for line in lines if line.startswith("ENV PYTHONPATH=")]
    assert paths == ([layout.path] if layout.path else [])
