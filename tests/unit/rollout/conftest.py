"""A site over real TLS whose answers a test decides."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.rollout.things import certificate


class Site:
    def __init__(self, folder: Path) -> None:
        self.answers: list[object] = []
        self.asked: list[tuple[str, str, object]] = []  # method, path, what was sent
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                site.asked.append((self.command, self.path, json.loads(sent or "null")))
                answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
                refused = isinstance(answer, dict) and answer.get("kind") == "Status"
                body = json.dumps(answer).encode()
                self.send_response(answer if isinstance(answer, int) else answer["code"] if refused else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PATCH = do_GET  # noqa: N815 - the base class looks for this name

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.authority, key = certificate(folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://shop.localhost:{self.server.server_port}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()
