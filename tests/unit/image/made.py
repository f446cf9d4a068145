"""The Dockerfile that is made for files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from longshore.image import generated
from longshore.settings.project import Application
from tests.unit.sources import written

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"


def made(folder: Path, files: Mapping[str, str | bytes], **settings: object) -> list[str]:
    snapshot = written(folder, files)
    app = Application(**{"path": ".", "port": 8000} | settings)  # type: ignore[arg-type]
    return generated.dockerfile(app, snapshot).splitlines()
