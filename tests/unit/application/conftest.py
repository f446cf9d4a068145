from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application import create_app
from application.settings import Settings

DIGEST = "sha256:" + "0123456789abcdef" * 4
SETTINGS = Settings(revision="4f2a9c1", digest=DIGEST, pod="app-1")


class Client(FlaskClient):
    """Closes each response, as a server does; a sent file would stay open otherwise."""

    open = partialmethod(FlaskClient.open, buffered=True)  # type: ignore[assignment]


@pytest.fixture
def stdout() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def make(stdout: io.StringIO, tmp_path: Path) -> Callable[..., Flask]:
    """Return a function that creates an application with the given settings, which logs to `stdout`."""

    def make(**changes: Any) -> Flask:
        with redirect_stdout(stdout):
            app = create_app(replace(SETTINGS, run_dir=tmp_path, **changes))
        app.test_client_class = Client
        return app

    return make


@pytest.fixture
def client(make: Callable[..., Flask]) -> FlaskClient:
    return make().test_client()


@pytest.fixture
def logged(stdout: io.StringIO) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that returns what was logged since its last call; every line must be JSON."""

    def logged() -> list[dict[str, Any]]:
        lines = stdout.getvalue().splitlines()
        stdout.seek(0)
        stdout.truncate()
        return [json.loads(line) for line in lines]

    return logged
