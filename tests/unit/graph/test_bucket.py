"""The shared cache costs a repetition at worst, whatever answers in its place, and however slowly."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore import aws
from longshore.graph import bucket
from longshore.process.cancellation import Cancellation
from longshore.settings.load import load

SETTINGS = """\
[project]
name = "shop"
[environments.blue]
[cache]
remote = "s3://results/shop"
account = "123456789012"
region = "eu-west-1"
write = "always"
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class Server:
    """Stands for S3: says HEAD of LENGTH, and BODY, and that again and again, with PAUSE (s) in between, to its end."""

    def __init__(self, length: int, body: bytes, pause: float) -> None:
        self._said, self._pause, self.over, self.asked = (HEAD % length, body), pause, threading.Event(), 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self.over.is_set():
            connection, _ = self._socket.accept()
            self.asked += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        head, body = self._said
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(head + body)
            while self._pause and not self.over.wait(self._pause):
                connection.sendall(body)


Ask = tuple[bucket.Bucket, list[str], Cancellation]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setattr(bucket, "DEADLINE", 1.0)
    monkeypatch.setattr(bucket, "LARGEST", 8 << 20)
    aws._chain.cache_clear()
    return monkeypatch


def asked(tmp_path: Path) -> Ask:
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    warnings, cancellation = list[str](), Cancellation()
    found = bucket.of(load(tmp_path, os.environ), warnings.append, cancellation)
    assert found
    return found, warnings, cancellation


@contextlib.contextmanager
def server(shell: pytest.MonkeyPatch, length: int, body: bytes, pause: float = 0.0) -> Iterator[Server]:
    server = Server(length, body, pause)
    shell.setenv("AWS_ENDPOINT_URL", server.url)
    yield server
    server.over.set()


@pytest.mark.parametrize(
    ("length", "body", "pause"),
    [(100_000, b"x", 0.1), (100_000, b"x" * 10, 9.0), (100_000, b"x" * 10, 0.0), (64 << 20, b"x" * (1 << 20), 1e-6)],
    ids=["drips", "stalls", "breaks", "is too large"],
)
def test_a_body_that_does_not_come_is_one_warning(
    shell: pytest.MonkeyPatch, tmp_path: Path, length: int, body: bytes, pause: float
) -> None:
    with server(shell, length, body, pause) as answering:
        there, warnings, _ = asked(tmp_path)
        began = time.monotonic()
        assert there.get("entries/a") is None
        assert time.monotonic() - began < 4
        known = answering.asked
        assert there.get("entries/b") is None
        there.put("entries/b", b"b")
        assert answering.asked == known
    assert len(warnings) == 1
    assert warnings[0].startswith("ignoring the shared cache s3://results/shop: ")


def test_a_signal_ends_the_wait_for_the_shared_cache(shell: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shell.setattr(bucket, "DEADLINE", 60.0)
    with server(shell, 100_000, b"x", 0.1):
        there, warnings, cancellation = asked(tmp_path)
        threading.Timer(0.5, cancellation._note, (signal.SIGTERM, None)).start()
        began = time.monotonic()
        assert there.get("entries/a") is None
        assert time.monotonic() - began < 4
    assert warnings == []


def test_what_the_shared_cache_holds_comes_whole(shell: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with server(shell, 5, b"whole"):
        there, warnings, _ = asked(tmp_path)
        assert there.get("entries/a") == b"whole"
    assert warnings == []


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "foo"},
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"},
        {"AWS_PROFILE": "broken"},
    ],
    ids=["no URL", "no token", "no such program"],
)
def test_credentials_that_cannot_be_had_are_one_warning(
    shell: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str]
) -> None:
    shell.delenv("AWS_ACCESS_KEY_ID")
    shell.delenv("AWS_SECRET_ACCESS_KEY")
    shell.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "config").write_text("[profile broken]\ncredential_process = /nowhere/at-all\n")
    for name, value in variables.items():
        shell.setenv(name, value)
    there, warnings, _ = asked(tmp_path)
    assert there.get("entries/a") is None
    assert there.get("entries/b") is None
    assert len(warnings) == 1
