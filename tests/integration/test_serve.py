"""`invoke serve` finds what to serve, in an application that has no settings for a server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_application_without_settings_for_gunicorn_is_served_and_reloads(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(ROOT / "tests" / "apps" / "plain", folder)
    shutil.copy2(ROOT / "tasks.py", folder)
    (folder / "longshore.toml").write_text(
        '[project]\nname = "plain"\n[application]\npath = "."\n[environments.local.local]\n'
    )
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log").open("w") as log:
        served = subprocess.Popen(
            [sys.executable, "-m", "invoke", "serve", f"--port={port}"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until_says(port, "hello", tmp_path / "log")
        # gunicorn notes a module's time up to a second after the first answer: an edit before that is none to it
        until_says(port, "edited", tmp_path / "log", lambda: (folder / "config.py").write_text('GREETING = "edited"\n'))
    finally:
        os.killpg(served.pid, signal.SIGTERM)
        served.wait(timeout=30)


def until_says(port: int, text: str, log: Path, edit: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + 60
    while (page := answer(port)) != text:
        assert time.monotonic() < end, log.read_text()
        if page:
            edit()
        time.sleep(2 if page else 0.1)


def answer(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            return str(page.read().decode())
    except OSError:
        return ""
