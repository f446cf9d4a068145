"""The service under the real gunicorn, configured as in the image."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 15.0


class Server:
    """One gunicorn on a free port of the loopback address."""

    def __init__(self, run_dir: Path, *options: str, within: tuple[str, ...] = (), **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.log = run_dir.with_suffix(".log")
        argv = [
            "-m",
            "gunicorn",
            "--config",
            "application/gunicorn.conf.py",
            "--bind",
            f"127.0.0.1:{self.port}",
            *options,
        ]
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*within, sys.executable, *argv],
                cwd=ROOT,
                env={
                    **inherited,
                    "PYTHONPATH": str(run_dir.with_name("more")),
                    "APP_RUN_DIR": str(run_dir),
                    **environment,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def get(self, path: str) -> tuple[int, str, dict[str, str]]:
        connection = self.connect()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.get("/livez")[0] == 200:
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE)
        finally:
            self.process.kill()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def sample(self, text: str) -> float:
        match = re.search(rf"^{re.escape(text)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(match[1]) if match else 0.0


def module(run_dir: Path, name: str, text: str) -> None:
    """Put a module where the server's Python looks first."""
    folder = run_dir.with_name("more")
    folder.mkdir()
    (folder / name).write_text(text)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def server(run_dir: Path) -> Iterator[Server]:
    server = Server(run_dir, APP_WORKERS="2", REVISION="4f2a9c1", POD_NAME="app-1")
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_metrics_add_up_the_requests_of_all_workers(server: Server, run_dir: Path) -> None:
    asked = 0
    while asked < 1000 and len(list((run_dir / "metrics").glob("counter_*.db"))) < 2:
        assert server.get("/version")[0] == 200
        asked += 1
    assert len(children(server.process.pid)) == 2
    assert len(list((run_dir / "metrics").glob("counter_*.db"))) == 2, "one worker took every request"
    assert server.sample('http_requests_total{method="GET",route="/version",status="200"}') == asked
    assert server.sample('app_release{digest="unset",revision="4f2a9c1"}') == 1


def test_a_worker_that_dies_is_replaced_and_leaves_no_request_in_progress(server: Server) -> None:
    server.get("/version")
    first = children(server.process.pid)
    for worker in first:
        os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and (len(now := children(server.process.pid)) < 2 or set(now) & set(first)):
        time.sleep(0.05)
    assert server.get("/version")[0] == 200
    assert server.sample('http_requests_total{method="GET",route="/version",status="200"}') == 2
    assert server.sample('http_requests_in_progress{method="GET",route="/version"}') == 0


def test_idle_connections_are_kept_until_the_pod_drains(server: Server, run_dir: Path) -> None:
    connection = server.connect()
    connection.request("GET", "/")
    first = connection.getresponse()
    first.read()
    (run_dir / "draining").touch()
    connection.request("GET", "/")
    second = connection.getresponse()
    assert second.read()
    connection.close()
    assert (first.status, first.headers["Connection"]) == (200, "keep-alive")
    assert (second.status, second.headers["Connection"]) == (200, "close")
    assert (server.get("/readyz")[0], server.get("/livez")[0]) == (503, 200)


def test_the_version_comes_on_a_connection_that_ends(server: Server) -> None:
    assert server.get("/version")[2]["Connection"] == "close"


def test_a_container_restarted_in_its_pod_is_ready_again(run_dir: Path) -> None:
    (run_dir / "metrics").mkdir(parents=True)
    (run_dir / "metrics" / "counter_1.db").write_bytes(b"left by the container before")
    (run_dir / "draining").touch()
    server = Server(run_dir)
    try:
        server.wait_until_ready()
        assert server.get("/readyz")[0] == 200
        assert server.get("/metrics")[0] == 200
    finally:
        server.stop()


def test_sigterm_reaches_a_worker_that_is_still_starting(run_dir: Path) -> None:
    # From the fork until it sets its own signal handlers a worker has the master's; here that moment is made long.
    module(
        run_dir,
        "sitecustomize.py",
        "import time, gunicorn.workers.base as base\n"
        "boot = base.Worker.init_process\n"
        "def slowly(self):\n    time.sleep(1)\n    boot(self)\n"
        "base.Worker.init_process = slowly\n",
    )
    server = Server(run_dir, APP_WORKERS="1")
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and not children(server.process.pid):
        time.sleep(0.01)
    assert children(server.process.pid), "no worker was forked"
    assert server.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace of processes needs root")
def test_sigterm_ends_a_master_that_is_still_loading(run_dir: Path) -> None:
    # In a container it is process 1, which gets no signal from the kernel that it has no handler for.
    loading = run_dir.with_name("loading")
    module(run_dir, "slow.py", f"import pathlib, time\npathlib.Path('{loading}').touch()\ntime.sleep(30)\n")
    server = Server(run_dir, "slow:create_app()", within=("unshare", "--pid", "--fork", "--kill-child"))
    try:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and not loading.exists():
            time.sleep(0.01)
        (master,) = children(server.process.pid)
        os.kill(master, signal.SIGTERM)
        assert server.process.wait(timeout=5) == 143
    finally:
        server.process.kill()
        server.process.wait()


def test_sigterm_lets_a_running_request_end(run_dir: Path) -> None:
    module(
        run_dir,
        "slow.py",
        "import time\nfrom application import create_app as real\n\n"
        "def create_app():\n    app = real()\n"
        "    app.add_url_rule('/slow', view_func=lambda: time.sleep(1.5) or 'slept')\n    return app\n",
    )
    server = Server(run_dir, "slow:create_app()")
    answers: list[tuple[int, str]] = []
    try:
        server.wait_until_ready()
        asking = threading.Thread(target=lambda: answers.append(server.get("/slow")[:2]))
        asking.start()
        time.sleep(0.4)
        began = time.monotonic()
        assert server.stop() == 0
        took = time.monotonic() - began
        asking.join(DEADLINE)
    finally:
        server.stop()
    assert answers == [(200, "slept")]
    assert took < 25, "it ends with the request, not with its grace of 30 s"


def test_every_line_of_the_log_is_json(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as raw:
        raw.sendall(b"GET / HTTP/9.9\r\n\r\n")
        assert b"400" in raw.recv(100)
    server.get("/version")
    server.stop()
    messages = [line["message"] for line in server.lines()]
    assert "request" in messages
    assert any("Invalid" in message or "Unsupported" in message for message in messages)


def test_headers_beyond_the_limits_are_refused(server: Server) -> None:
    connection = server.connect()
    connection.request("GET", "/version", headers={"X-Large": "x" * 9000})
    assert connection.getresponse().status >= 400
    connection.close()


def test_a_bad_setting_stops_the_start_with_one_sentence(run_dir: Path) -> None:
    server = Server(run_dir, APP_WORKERS="many")
    assert server.process.wait(DEADLINE) == 1
    assert server.log.read_text() == "application: APP_WORKERS must be a whole number from 1 to 64, not 'many'.\n"


def test_it_serves_without_writing_outside_its_run_folder(server: Server, run_dir: Path) -> None:
    server.get("/version")
    opened = {
        os.readlink(link)
        for pid in (server.process.pid, *children(server.process.pid))
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.exists() and os.readlink(link).startswith("/") and "w" in mode_of(pid, link.name)
    }
    assert {path for path in opened if not path.startswith((str(run_dir), str(server.log), "/dev/"))} == set()
    assert any(path.startswith(str(run_dir)) for path in opened)


def mode_of(pid: int, number: str) -> str:
    flags = re.search(r"^flags:\s*(\d+)", Path(f"/proc/{pid}/fdinfo/{number}").read_text(), re.MULTILINE)
    assert flags
    return "w" if int(flags[1], 8) & 3 else "r"


def test_without_a_run_folder_it_makes_one_and_takes_it_away(tmp_path: Path) -> None:
    server = Server(tmp_path / "run", APP_RUN_DIR="", TMPDIR=str(tmp_path))
    try:
        server.wait_until_ready()
        assert len(list(tmp_path.glob("application-*/metrics"))) == 1
    finally:
        server.stop()
    assert list(tmp_path.glob("application-*")) == []
