"""The edge in front of two nodes: it sends to those that the local AWS does not call unhealthy."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Network

import pytest
from msgspec.structs import replace

from tests.integration.aws_process import free_port
from tests.integration.edges import Edge, making

LINKS = (IPv4Network("127.0.0.4/30"), IPv4Network("127.0.0.8/30"))  # addresses that this machine has
ONE, OTHER = "127.0.0.6", "127.0.0.10"


class Node(BaseHTTPRequestHandler):
    """Says at which address it was asked; at /fail it ends the connection."""

    def do_GET(self) -> None:
        if self.path == "/fail":
            self.close_connection = True
            return
        body = self.connection.getsockname()[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Edge]]:
    port = free_port()
    with ExitStack() as stack:
        for address in (ONE, OTHER):
            server = stack.enter_context(ThreadingHTTPServer((address, port), Node))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield stack.enter_context(making(tmp_path_factory.mktemp, port))


@pytest.fixture
def two(make: Callable[[], Edge]) -> Edge:
    edge = make()
    edge.layout = replace(edge.layout, existing=None, link=LINKS[0], second=LINKS[1])
    edge.layout.unhealthy.mkdir()
    edge.serve()
    return edge


def asked(edge: Edge, times: int = 20) -> Counter[str]:
    return Counter(edge.ask("/")[1].decode() for _ in range(times))


def test_requests_go_to_every_node_that_is_not_unhealthy_and_to_all_if_none_is_left(two: Edge) -> None:
    first, second = (two.layout.unhealthy / f"{two.target}-{number}" for number in (1, 2))
    assert set(asked(two)) == {ONE, OTHER}
    second.touch()
    assert set(asked(two)) == {ONE}, "from the next request on"
    first.touch()
    assert set(asked(two)) == {ONE, OTHER}
    second.unlink()
    assert set(asked(two)) == {OTHER}
    first.unlink()
    assert set(asked(two)) == {ONE, OTHER}


def test_what_fails_at_a_node_costs_it_no_other_request(two: Edge) -> None:
    """Only health checks decide; nginx would leave a node out for ten seconds after one failure."""
    assert {two.ask("/fail")[0].status for _ in range(8)} == {502}
    assert set(asked(two)) == {ONE, OTHER}
