"""A running edge with what is behind it, and clients of it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, ClassVar

from localcloud import edge, lifecycle, packages
from localcloud.edge import Listener
from localcloud.layout import Existing, Layout
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from tests.integration.aws_process import free_port
from tests.integration.processes import words

IDLE = 2  # seconds
HOST = "shop.localhost"


class Target(BaseHTTPRequestHandler):
    """What is behind the edge: streams, large headers, an echo, and what it was asked."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "target/1", ""
    uploads: ClassVar[list[int]] = []  # bytes so far
    arrived: ClassVar[threading.Semaphore] = threading.Semaphore(0)  # at a client, of events that wait for each other

    def do_GET(self) -> None:
        kind, _, size = self.path[1:].partition("?")[0].partition("/")
        getattr(self, f"{kind}_", self.asked_)(int(size or 0))

    def do_POST(self) -> None:
        left, total = int(self.headers["Content-Length"]), 0
        while left > total:
            total += len(self.rfile.read1(left - total))
            self.uploads.append(total)
        self.answer(b"thanks")

    def events_(self, count: int) -> None:
        self.stream(count, lambda: time.sleep(1))

    def waiting_(self, count: int) -> None:
        self.stream(count, self.arrived.acquire)

    def stream(self, count: int, between: Callable[[], object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(count):
            self.wfile.write(b"data: %d\n\n" % number)
            between()

    def headers_(self, size: int) -> None:
        cookies = {f"Set-Cookie: c{number}": "x" * 982 for number in range(size // 1000)}
        self.answer(b"ok", *(f"{name}={value}" for name, value in cookies.items()))

    def accel_(self, _: int) -> None:
        self.answer(b"mine", "X-Accel-Redirect: /asked", "X-Accel-Buffering: yes")

    def socket_(self, _: int) -> None:
        if self.headers.get("Upgrade") != "websocket" or self.headers.get("Connection", "").lower() != "upgrade":
            self.asked_(426)
            return
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(4096):
            self.connection.sendall(data)

    def version_(self, _: int) -> None:
        self.answer(b'{"revision": "one"}')

    def asked_(self, status: int) -> None:
        body = json.dumps(dict(self.headers.items())).encode()
        self.answer(body, status=status or 200)

    def answer(self, body: bytes, *headers: str, status: int = 200) -> None:
        self.send_response(status)
        for header in headers:
            self.send_header(*header.split(": ", 1))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[int]:
    """Yield the port of a target while it serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class Edge:
    """A running edge, and clients of it."""

    def __init__(self, layout: Layout, runner: Runner, target: int) -> None:
        self.layout, self.runner, self.target = layout, runner, target
        self.port, self.plain = free_port(), free_port()

    def serve(self, idle: int = IDLE, **other: Any) -> None:
        protocols, ciphers = ("TLSv1.2", "TLSv1.3"), ("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256")
        tls = {"names": (HOST,), "protocols": protocols, "ciphers": ciphers}
        secure = Listener(port=self.port, protocol="HTTPS", target=self.target, idle=idle, **tls, **other)
        redirect = Listener(port=self.plain, protocol="HTTP", redirect=f"https:{self.port}:301", acl=secure.acl)
        edge.serve(self.layout, self.runner, [redirect, secure])

    def old_workers(self) -> list[int]:
        """Return the workers of the configuration before, which finish what is open."""
        pids = lifecycle.family(self.layout.daemon("edge").pid() or 0)
        return [pid for pid in pids if b"shutting down" in b" ".join(words(pid))]

    def connect(self) -> socket.socket:
        context = ssl.create_default_context(cafile=str(self.layout.edge_ca))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return context.wrap_socket(plain, server_hostname=HOST)

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port)
        connection.sock = self.connect()
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def open(self, path: str, headers: dict[str, str] | None = None) -> socket.socket:
        """Return a connection whose answer's headers have been read."""
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {HOST}",
            *(f"{key}: {value}" for key, value in (headers or {}).items()),
        ]
        stream = self.connect()
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += stream.recv(1)
        assert head.split()[1] == (b"101" if headers else b"200"), head
        return stream


@contextmanager
def making(folder: Callable[[str], Path], target: int) -> Iterator[Callable[[], Edge]]:
    """Yield what makes an edge in front of TARGET, in a new folder of FOLDER; all are stopped in the end."""
    edges: list[Edge] = []

    def new() -> Edge:
        root = folder("edge")
        (root / "longshore.toml").write_text('[project]\nname = "edge"\n[environments.local.local]\n')
        environ = process_environment()
        runner = Runner(environ, log_dir=root / "logs")
        packages.start(load(root, environ), runner, lambda *_: None)  # nginx is one of them
        existing = Existing("none", root / "config", "127.0.0.1:5001", "127.0.0.1", root)
        ranges = (IPv4Network("198.19.255.252/30"), IPv4Network("10.88.0.0/16"), IPv4Network("10.89.0.0/16"))
        layout = Layout(
            id=f"edge-test-{os.getpid()}-{len(edges)}",
            project="edge",
            environment="local",
            region="eu-west-1",
            state=root / "state",
            run=root / "run",
            cache=root / "cache",
            kube=root / "kube",
            aws_port=free_port(),
            link=ranges[0],
            pods=ranges[1],
            services=ranges[2],
            existing=existing,
        )
        layout.logs.mkdir(parents=True)
        edges.append(Edge(layout, runner, target))
        return edges[-1]

    try:
        yield new
    finally:
        for each in edges:
            each.layout.daemon("edge").stop()
