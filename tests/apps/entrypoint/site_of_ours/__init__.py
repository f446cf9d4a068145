"""A factory, as Flask's documentation has it."""

from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)

    @app.get("/")
    def index() -> str:
        return "from the factory"

    return app
