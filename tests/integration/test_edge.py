"""The edge with real nginx, and a local AWS that says what to serve: what an Application Load Balancer passes on."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from localcloud import edge
from localcloud.edge import Listener
from tests.integration.aws_process import AwsProcess
from tests.integration.balancers import balance
from tests.integration.edges import HOST, IDLE, Edge, Target, making, serving

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
}
FRAME = b"\x81\x85\x00\x00\x00\x00hello"  # of a WebSocket: text, masked, 5 bytes


@pytest.fixture(scope="module")
def target() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, target: int) -> Iterator[Callable[[], Edge]]:
    with making(tmp_path_factory.mktemp, target) as new:
        yield new


@pytest.fixture(scope="module")
def running(make: Callable[[], Edge]) -> Edge:
    new = make()
    new.serve()
    return new


def read_event(stream: socket.socket) -> bytes:
    text = b""
    while not text.endswith(b"\n\n"):
        text += (data := stream.recv(1))
        assert data, f"the stream ended after {text!r}"
    return text


def seconds_until_closed(stream: socket.socket) -> float:
    began = time.monotonic()
    try:
        assert stream.recv(1) == b""
    except (ssl.SSLEOFError, ConnectionResetError):
        pass
    return time.monotonic() - began


def test_events_of_a_stream_arrive_one_by_one(running: Edge) -> None:
    with running.open("/waiting/3") as stream:  # none is sent before the last has arrived
        for number in range(3):
            assert b"data: %d\n\n" % number in read_event(stream)
            Target.arrived.release()


def test_response_headers_of_16_kb_arrive_and_an_alb_s_32_are_the_limit(running: Edge) -> None:
    answer, body = running.ask("/headers/16000")
    assert (answer.status, body) == (200, b"ok")
    assert len(answer.headers.get_all("Set-Cookie", [])) == 16
    assert running.ask("/headers/31000")[0].status == 200
    assert running.ask("/headers/34000")[0].status == 502


def test_request_headers_may_be_as_large_as_at_an_alb(running: Edge) -> None:
    assert running.ask("/asked?" + "x" * 15_000)[0].status == 200
    assert running.ask("/asked", {f"X-Part-{part}": "x" * 15_000 for part in range(3)})[0].status == 200
    assert running.ask("/asked?" + "x" * 17_000)[0].status == 414
    assert running.ask("/asked", {"X-Large": "x" * 17_000})[0].status == 400


def test_a_websocket_echoes_and_ends_when_nothing_was_sent_for_the_idle_time(running: Edge) -> None:
    with running.open("/socket", HANDSHAKE) as stream:
        for _ in range(2):  # longer in all than the idle time
            stream.sendall(FRAME)
            assert stream.recv(100) == FRAME
            time.sleep(IDLE * 0.75)
        stream.sendall(FRAME)
        assert stream.recv(100) == FRAME
        assert IDLE - 0.5 < seconds_until_closed(stream) < IDLE + 20  # nginx alone waits for 60


def test_an_upgrade_to_anything_but_websockets_and_a_plain_request_keep_the_target_s_connection(running: Edge) -> None:
    for headers in ({}, {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}):
        received = json.loads(running.ask("/asked", headers)[1])
        assert "Upgrade" not in received
        assert "Connection" not in received


def test_a_target_that_is_silent_for_the_idle_time_is_a_504(make: Callable[[], Edge]) -> None:
    silent = make()
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent.target = server.getsockname()[1]
        silent.serve(idle=1)
        began = time.monotonic()
        assert silent.ask("/")[0].status == 504
        assert 0.9 < time.monotonic() - began < 30  # nginx alone waits for 60


def test_a_body_reaches_the_target_while_it_is_being_sent(running: Edge) -> None:
    Target.uploads.clear()
    with running.connect() as stream:
        stream.sendall(
            f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4000000\r\n\r\n".encode() + bytes(1_000_000)
        )
        deadline = time.monotonic() + 5
        while not (Target.uploads and Target.uploads[-1] == 1_000_000):
            assert time.monotonic() < deadline, "the edge held the body back"
            time.sleep(0.02)
        assert not [path for path in (running.layout.run / "edge" / "body").rglob("*") if path.is_file()]
        stream.sendall(bytes(3_000_000))
        assert stream.recv(12) == b"HTTP/1.1 200"


def test_what_the_target_says_of_itself_and_to_another_proxy_passes(running: Edge) -> None:
    answer, body = running.ask("/accel")
    assert body == b"mine"
    assert answer.headers["X-Accel-Redirect"] == "/asked"
    assert answer.headers["X-Accel-Buffering"] == "yes"
    assert answer.headers.get_all("Server") == ["target/1"]
    assert len(answer.headers.get_all("Date", [])) == 1


def test_a_reload_drops_no_open_stream(make: Callable[[], Edge]) -> None:
    reloaded = make()
    reloaded.serve(idle=60)
    pid = reloaded.layout.daemon("edge").pid()
    with reloaded.open("/events/4") as stream, reloaded.open("/socket", HANDSHAKE) as echo:
        assert b"data: 0" in read_event(stream)
        reloaded.serve(idle=IDLE)
        while not reloaded.old_workers():
            time.sleep(0.02)
        with reloaded.open("/socket", HANDSHAKE) as later:
            assert seconds_until_closed(later) < 30  # by the new limit
        assert [read_event(stream)[-3:-2] for _ in range(3)] == [b"1", b"2", b"3"]
        echo.sendall(FRAME)
        assert echo.recv(100) == FRAME
    assert reloaded.layout.daemon("edge").pid() == pid


def test_the_edge_follows_the_load_balancer_s_attributes(make: Callable[[], Edge], target: int) -> None:
    follower = make()
    aws = AwsProcess(follower.layout.cluster_file.parent)
    aws.folder.mkdir()
    aws.port = follower.layout.aws_port
    aws.url = follower.layout.aws_endpoint
    aws.cluster_file.write_text(json.dumps({"node": "127.0.0.1", "access_log": str(follower.layout.access_log)}))
    aws.start()
    try:
        balance(aws, target)
        elb = aws.client("elbv2")
        (balancer,) = elb.describe_load_balancers()["LoadBalancers"]

        def listener(**attributes: str) -> Listener:
            pairs = [{"Key": key.replace("__", "."), "Value": value} for key, value in attributes.items()]
            elb.modify_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=pairs)
            (described,) = edge.listeners(follower.layout)
            return described

        assert listener(idle_timeout__timeout_seconds="7").idle == 7
        assert not listener(routing__http__drop_invalid_header_fields__enabled="false").strict
        assert listener(routing__http__drop_invalid_header_fields__enabled="true").strict
    finally:
        aws.end(kill=True)


@pytest.mark.parametrize("strict", [True, False])
def test_header_names_that_are_not_valid_are_dropped_if_the_load_balancer_drops_them(
    make: Callable[[], Edge], *, strict: bool
) -> None:
    made = make()
    made.serve(strict=strict)
    received = json.loads(made.ask("/asked", {"X_Under": "1", "X-Dash": "1"})[1])
    assert ("X_Under" in received) is not strict
    assert received["X-Dash"] == "1"
