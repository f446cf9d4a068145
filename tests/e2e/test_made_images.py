"""Applications without a Dockerfile, each with another lock, deployed by settings alone, one after the other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.apps import APPS, Apps
from tests.e2e.conftest import FIRST_START

pytestmark = pytest.mark.slow
UV = str(Path(sys.executable).parent / "uv")
PIPFILE = '[packages]\nflask = "==3.0.3"\n'
# Each of these is made by its own tool, so that it is one of today's. Poetry's wants more
# of an index than each has, so that lock is a file of ours.
LOCKS: dict[str, tuple[str, ...]] = {
    "uv.lock": (UV, "lock", "-q"),
    "Pipfile.lock": (UV, "tool", "run", "-q", "pipenv", "lock", "-q"),
    "pylock.toml": (UV, "export", "-q", "--format=pylock.toml", "--no-emit-project", "--output-file=pylock.toml"),
    "poetry.lock": (),
}
SECRETS = '\n[environments.apps.secrets]\nSECRET_KEY = "hello/key"\n'  # pragma: allowlist secret
MODERN = "python:3.13-slim-trixie"
FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
PAGE = "app.add_url_rule('/', view_func=lambda: {says})\n"
PYTHONS = 'requires-python = ">=3.11"\n'
PACKAGE = '{"scripts": {"build": "node build.js"}}'
# What repositories look like, and what their page says.
SHAPES: dict[str, tuple[dict[str, str], str]] = {
    "two folders": (
        {
            "backend/app.py": f"from words import built\n{FLASK}{PAGE.format(says='built()')}",
            "backend/words.py": "from pathlib import Path\n\n\ndef built():\n"
            "    return (Path(__file__).parents[1] / 'web' / 'dist' / 'page.txt').read_text()\n",
            "backend/requirements.txt": "flask\npywin32==306\n",
            "web/package.json": PACKAGE,
            "web/build.js": "const fs = require('fs')\nfs.mkdirSync('dist')\n"
            "fs.writeFileSync('dist/page.txt', 'built')\n",
        },
        "built",
    ),
    "a lock of uv's below the top": (
        {
            "server/pyproject.toml": f'[project]\nname = "shop"\nversion = "1"\n{PYTHONS}'
            'dependencies = ["flask==3.0.3"]\n',
            "server/uv.lock": f'version = 1\n{PYTHONS}[[package]]\nname = "flask"\nversion = "3.0.3"\n'
            'source = { registry = "https://example.com/simple" }\n[[package]]\nname = "shop"\nversion = "1"\n'
            'source = { virtual = "." }\ndependencies = [{ name = "flask" }]\n',
            "server/shop/__init__.py": "",
            "server/shop/web.py": f"from importlib.metadata import version\n\n{FLASK}"
            + PAGE.format(says="'Flask ' + version('flask')"),
        },
        "Flask 3.0.3",
    ),
    "a setup.py": (
        {
            "setup.py": "from setuptools import setup\n\nsetup(name='shop', install_requires=['flask>=3'])\n",
            "shop/__init__.py": "def create_app(testing=False):\n    from .web import app\n\n    return app\n",
            "shop/web.py": f"{FLASK}{PAGE.format(says=repr('from a factory'))}",
        },
        "from a factory",
    ),
    "a server that it runs": (
        {
            "requirements.txt": "flask\npkg-resources==0.0.0\n",
            "start.py": "try:\n    from flask import Flask\n\n    web = Flask(__name__)\n"
            f"except ImportError:\n    raise\n{PAGE.replace('app', 'web').format(says=repr('not by itself'))}"
            "web.run(debug=True)\n",
        },
        "not by itself",
    ),
    "Socket.IO": (
        {
            "requirements.txt": "flask\nflask-socketio\neventlet\n",
            "app.py": f"from flask_socketio import SocketIO\n{FLASK}sockets = SocketIO(app)\n"
            f"{PAGE.format(says=repr('with sockets'))}if __name__ == '__main__':\n    sockets.run(app)\n",
        },
        "with sockets",
    ),
    "Dash": (
        {
            "requirements.txt": "dash\n",
            "board.py": "import dash\n\napp = dash.Dash(__name__, title='a board')\napp.layout = dash.html.Div('x')\n",
        },
        "<!DOCTYPE html>",
    ),
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_factory_is_deployed_from_its_lock_on_its_python(apps: Apps, tmp_path: Path, lock: str) -> None:
    app = "poetry" if lock == "poetry.lock" else "factory"
    shutil.copytree(APPS / app, tmp_path, dirs_exist_ok=True)
    if lock == "Pipfile.lock":
        (tmp_path / "Pipfile").write_text(PIPFILE)
    if LOCKS[lock]:
        subprocess.run(LOCKS[lock], cwd=tmp_path, check=True)
    named = (name for name in (lock, "Pipfile") if (tmp_path / name).is_file())
    apps.become(app, edit={name: (tmp_path / name).read_text() for name in named}, base_image=MODERN)
    released = apps.release(deadline=FIRST_START)
    assert apps.get("/")[2] == "Python 3.13, Flask 3.0.3"
    assert json.loads(apps.get("/.longshore/version")[2])["digest"] == released["digest"]
    assert apps.release()["changed"] is False


def test_assets_source_packages_a_key_at_import_and_a_forced_scheme_need_no_edit(apps: Apps) -> None:
    apps.become("assets", more=SECRETS, expand_files=True)
    apps.invoke("local.up", "-e", apps.name, deadline=FIRST_START)
    vault = apps.client("secretsmanager")
    vault.create_secret(Name="hello/key", SecretString="kept away from the image")  # pragma: allowlist secret
    released = apps.release(deadline=FIRST_START)
    status, _, page = apps.get("/")
    assert (status, page[:35]) == (200, '<script src="/static/page.js"></scr')
    assert "libpq 1" in page
    assert "made by a bundler at" in apps.get("/static/page.js")[2]
    assert apps.get("/version")[2] == "version 7 of their own"
    assert json.loads(apps.get("/.longshore/version")[2])["digest"] == released["digest"]
    assert apps.release()["changed"] is False
    left = apps.admin("exec", "deployment/site", "--", "ls", "/srv").split()
    assert "node_modules" not in left


@pytest.mark.parametrize("shape", SHAPES)
def test_what_repositories_look_like_is_served_without_a_setting(apps: Apps, shape: str) -> None:
    files, says = SHAPES[shape]
    apps.become("none", edit=files)
    released = apps.release(deadline=FIRST_START)
    status, _, page = apps.get("/")
    assert (status, page.strip()[: len(says)]) == (200, says)
    assert json.loads(apps.get("/.longshore/version")[2])["digest"] == released["digest"]
