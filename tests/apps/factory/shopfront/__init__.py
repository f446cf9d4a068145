"""A factory that says on which Python and on which Flask it runs."""

import sys
from importlib.metadata import version

from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)
    app.get("/")(lambda: f"Python 3.{sys.version_info.minor}, Flask {version('flask')}")
    return app
