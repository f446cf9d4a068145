from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tests.integration.aws_process import AwsProcess

DATA_SEGMENTS_IN = 152  # where Linux's struct tcp_info counts them


class Relay(socketserver.ThreadingTCPServer):
    """Passes requests on to the local AWS, and drops the answers to the first LOST of them."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Pass)
        self.to, self.lost = port, 0


class Pass(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.to)) as aws:
            threading.Thread(target=self._requests, args=(aws,), daemon=True).start()
            answer = b"".join(iter(lambda: aws.recv(65536), b""))  # the local AWS closes a connection after one answer
        if self.server.lost:
            self.server.lost -= 1
            return
        self.request.sendall(answer)

    def _requests(self, aws: socket.socket) -> None:
        for part in iter(lambda: self.request.recv(65536), b""):
            aws.sendall(part)


@pytest.fixture(scope="module")
def relay(aws: AwsProcess) -> Iterator[Relay]:
    with Relay(aws.port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def config(relay: Relay, attempts: int = 3) -> Config:
    host, port = relay.server_address[:2]
    retries = {"mode": "standard", "total_max_attempts": attempts}
    return Config(proxies={"http": f"http://{host!s}:{port}"}, retries=retries)


def test_who_got_no_answer_and_asks_again_gets_it(aws: AwsProcess, relay: Relay) -> None:
    ecr, relay.lost = aws.client("ecr", config(relay)), 2
    told = ecr.create_repository(repositoryName="twice")["repository"]
    assert relay.lost == 0
    assert ecr.describe_repositories(repositoryNames=["twice"])["repositories"] == [told]
    assert "ecr CreateRepository 200, attempt 3" in (aws.folder / "requests.log").read_text()


def test_another_call_for_the_same_is_refused(aws: AwsProcess, relay: Relay) -> None:
    ecr, relay.lost = aws.client("ecr", config(relay, attempts=1)), 1
    with pytest.raises(BotoCoreError):
        ecr.create_repository(repositoryName="once")
    with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="once")


def test_a_refused_call_is_decided_anew(aws: AwsProcess, relay: Relay) -> None:
    """What was missing may be there by the next attempt."""
    logs = aws.client("logs", config(relay))
    relay.lost = 1
    made: list[str] = []

    def group(request: object, **_: object) -> None:
        made.append("attempt")
        if len(made) == 2:
            aws.client("logs").create_log_group(logGroupName="late")

    logs.meta.events.register("before-send.logs.CreateLogStream", group)
    logs.create_log_stream(logGroupName="late", logStreamName="first")
    assert len(made) == 2


def test_who_asks_before_sending_a_body_is_told_at_once(aws: AwsProcess) -> None:
    """The SDKs wait a second for it before they send a large object."""
    with asking(aws) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")


def asking(aws: AwsProcess) -> socket.socket:
    """Announce a body and ask whether to send it."""
    client = socket.create_connection(("127.0.0.1", aws.port), timeout=15)
    headers = f"Host: 127.0.0.1:{aws.port}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    client.sendall(f"POST /?X-Amz-Signature=secret HTTP/1.1\r\n{headers}".encode())
    return client


def test_an_answer_that_nobody_takes_is_noted(aws: AwsProcess) -> None:
    with asking(aws) as client:
        client.recv(100)  # the server waits for the body
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # so that closing resets
    deadline, log = time.monotonic() + 15, aws.folder / "requests.log"
    while "an answer was not taken: POST /: " not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    assert "secret" not in log.read_text()


def test_an_answer_comes_in_one_piece(aws: AwsProcess) -> None:
    """The SDKs for Go may lose a body that comes after its headers: decision 67."""
    with socket.create_connection(("127.0.0.1", aws.port)) as client:
        client.sendall(f"GET /_local/health HTTP/1.1\r\nHost: 127.0.0.1:{aws.port}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, DATA_SEGMENTS_IN + 4)
    assert answer.endswith(b'{"status": "ok"}')
    assert struct.unpack_from("I", told, DATA_SEGMENTS_IN) == (1,)
