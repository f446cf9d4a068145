"""What Longshore adds to an image answers in front of any application, under each server, and leaves the rest alone."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.image import layer

ROOT = Path(__file__).parents[2]
APPS = ROOT / "tests" / "apps"
DIGEST = "sha256:" + "a" * 64
SERVERS = {
    "gunicorn": ("plain", "gunicorn --bind=127.0.0.1:{port} app:app"),
    "gunicorn with threads": ("plain", "gunicorn --bind=127.0.0.1:{port} --threads=4 --preload app:app"),
    "gunicorn with a factory": ("entrypoint", "gunicorn --bind=127.0.0.1:{port} --threads=2 site_of_ours:create_app()"),
    "gunicorn and a bare callable": ("callable", "gunicorn --bind=127.0.0.1:{port} --threads=2 service"),
    "waitress": ("plain", "waitress-serve --listen=127.0.0.1:{port} app:app"),
    "waitress and a bare callable": ("callable", "waitress-serve --listen=127.0.0.1:{port} service:application"),
    "uvicorn": ("asynchronous", "uvicorn --host=127.0.0.1 --port={port} --http=h11 main:app"),
    "uvicorn with httptools": ("asynchronous", "uvicorn --host=127.0.0.1 --port={port} --http=httptools main:app"),
    "uvicorn with workers": ("asynchronous", "uvicorn --host=127.0.0.1 --port={port} --workers=2 main:app"),
    "gunicorn with uvicorn's workers": (
        "asynchronous",
        "gunicorn --bind=127.0.0.1:{port} --worker-class=uvicorn.workers.UvicornWorker main:app",
    ),
    "uwsgi": ("plain", "uwsgi --http-socket=127.0.0.1:{port} --master --module=app:app --need-app"),
    "uwsgi and a bare callable": ("callable", "uwsgi --http-socket=127.0.0.1:{port} --module=service --need-app"),
    "flask run": ("plain", "flask --app=app run --port={port}"),
}
CLOSING = {name for name in SERVERS if name not in ("gunicorn", "flask run")}  # those close every connection


@pytest.fixture(scope="module")
def virtualenv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The applications' own: nothing of Longshore's is in it."""
    folder = tmp_path_factory.mktemp("servers") / "venv"
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "-q", folder], check=True)
    python = f"--python={folder / 'bin' / 'python'}"
    subprocess.run([uv, "pip", "install", "-q", python, "-r", APPS / "servers.txt"], check=True)
    return folder


class Server:
    """A server that runs, and where its pod's mark of a drain would be."""

    def __init__(self, port: int, mark: Path) -> None:
        self.port, self.mark = port, mark

    def get(self, *paths: str, method: str = "GET") -> list[tuple[int, str, bool]]:
        """Return status, body and whether the connection may be used again, of PATHS on one connection each."""
        answers = []
        for path in paths:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request(method, path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read().decode(), not answer.will_close))
            connection.close()
        return answers


@pytest.fixture
def server(request: pytest.FixtureRequest, virtualenv: Path, tmp_path: Path) -> Iterator[Server]:
    app, command = SERVERS[request.param]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "key").write_text("swordfish\n")
    mark = tmp_path / "draining"
    environ = {
        "PATH": f"{virtualenv / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(layer.MODULE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "REVISION": "0123456789ab",
        "IMAGE_DIGEST": DIGEST,
        "POD_NAME": "app-1",
        "LONGSHORE_DRAINING": str(mark),
        "LONGSHORE_EXPANDS": "KEY MISSING",
        "KEY_FILE": str(tmp_path / "key"),
    }
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        command.format(port=port).split(), cwd=APPS / app, env=environ, stdout=log, stderr=log, start_new_session=True
    )
    server = Server(port, mark)
    try:
        end = time.monotonic() + 30
        while True:
            try:
                server.get("/.longshore/livez")
                break
            except OSError:
                log.seek(0)
                assert process.poll() is None, log.read()
                assert time.monotonic() < end, log.read()
                time.sleep(0.05)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_under_each_server_probes_and_version_are_answered_and_all_else_is_theirs(
    server: Server, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["server"]
    live, ready, version, theirs = server.get(*(f"/.longshore/{each}" for each in ("livez", "readyz", "version")), "/")
    assert (live[:2], ready[:2]) == ((200, "ok\n"), (200, "ok\n"))
    assert (version[0], json.loads(version[1])) == (200, {"revision": "0123456789ab", "digest": DIGEST, "pod": "app-1"})
    assert (theirs[0], bool(theirs[1])) == (200, True)
    assert server.get("/.longshore/livez", method="HEAD")[0][:2] == (200, "")
    assert theirs[2] == (name in CLOSING), "connections are kept while the pod serves"
    server.mark.touch()
    live, ready, theirs = server.get("/.longshore/livez", "/.longshore/readyz", "/")
    assert (live[0], ready[:2], theirs[0]) == (200, (503, "draining\n"), 200)
    assert not theirs[2], "a pod that drains sends its clients elsewhere"
    server.mark.unlink()
    assert server.get("/.longshore/readyz")[0][0] == 200
    app, _ = SERVERS[name]
    if app == "plain":
        mine, secret = server.get("/.longshore/mine", "/secret")
        assert mine[:2] == (200, "mine"), "a route of theirs is not shadowed"
        assert json.loads(secret[1]) == {"key": "swordfish"}


def test_another_module_of_this_name_is_loaded_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.theirs = True\n")
    environ = {"PYTHONPATH": f"{layer.MODULE}:{tmp_path}"}
    ended = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.theirs)"], env=environ, capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("True\n", "")


def test_a_mark_that_an_earlier_container_left_means_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "draining"
    mark.touch()
    os.utime(mark, (0, 0))
    environ = {"PYTHONPATH": str(layer.MODULE), "LONGSHORE_DRAINING": str(mark)}
    asked = "import sitecustomize, os; print(sitecustomize.draining()); os.utime({!r}); print(sitecustomize.draining())"
    ended = subprocess.run(
        [sys.executable, "-c", asked.format(str(mark))], env=environ, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "False\nTrue\n"
