"""The Dockerfile that is made for files, what it has and what it is made for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from longshore.image import generated
from longshore.settings.project import Application
from tests.unit.sources import written

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"
FACTORY = "def create_app(config=None):\n    pass\n"
NEEDS = "def create_app(config_name):\n    pass\n"
PAIR = "def create_app():\n    if LATER:\n        return None\n    return Flask(''), db\n"
HASH = "a" * 64


def made(folder: Path, files: Mapping[str, str | bytes], **settings: object) -> list[str]:
    snapshot = written(folder, files)
    app = Application(**{"path": ".", "port": 8000} | settings)  # type: ignore[arg-type]
    return generated.dockerfile(app, snapshot).splitlines()


def command(lines: list[str]) -> list[str]:
    (line,) = (line for line in lines if line.startswith("CMD "))
    return list(json.loads(line.removeprefix("CMD ")))


def served(folder: Path, files: dict[str, str], **settings: object) -> list[str]:
    """What serves the application of FILES, which need Flask and nothing else if they do not say so."""
    return command(made(folder, {"requirements.txt": "flask\n"} | files, **settings))


def installs(lines: list[str]) -> list[str]:
    """The arguments of each pip that installs for the application."""
    return [line.partition("version-check ")[2] for line in lines if "pip install" in line and "/opt/venv" in line]
