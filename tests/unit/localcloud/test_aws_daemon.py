from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from msgspec.structs import replace

from localcloud import aws_daemon, pki
from localcloud.layout import Existing, Layout
from localcloud.ports import STATE_HEADER

KUBECONFIG = """
contexts: [{name: kind, context: {cluster: one, user: me}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.crt}}]
users: [{name: me, user: {token: mine}}]
"""


def test_the_built_in_cluster_is_what_eks_describes(layout: Layout) -> None:
    pki.ensure(layout)
    said = aws_daemon.cluster(layout)
    assert said["endpoint"] == "https://198.19.0.6:6443"
    assert said["issuer"] == layout.issuer


def test_several_nodes_are_told_and_one_alone_as_ever(layout: Layout, second: Layout) -> None:
    pki.ensure(layout)
    one, two = aws_daemon.cluster(layout), aws_daemon.cluster(second.nodes[0])
    assert two.pop("nodes") == ["198.19.0.6", "198.19.0.10"]
    assert two.pop("unhealthy") == str(layout.unhealthy)
    assert one == two


def test_the_server_listens_on_loopback_and_on_the_link(layout: Layout) -> None:
    argv = aws_daemon.command(layout).argv
    listen = [argv[index + 1] for index, word in enumerate(argv) if word == "--listen"]
    assert listen == ["127.0.0.1:4566", "198.19.0.5:4566"]


def test_an_existing_cluster_is_read_from_its_kubeconfig(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    (tmp_path / "ca.crt").write_text("CA")
    existing = Existing(
        context="kind", kubeconfig=tmp_path / "config", registry="r:1", node_address="127.0.0.1", docker_config=tmp_path
    )
    said = aws_daemon.cluster(replace(layout, existing=existing))
    assert (said["endpoint"], said["ca"]) == ("https://127.0.0.1:6443", "Q0E=")


def test_the_aws_of_another_environment_on_the_port_is_not_taken_for_this_one_s(layout: Layout, tmp_path: Path) -> None:
    class Another(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers[STATE_HEADER] == str(tmp_path / "another" / "aws") else 421)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Another) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        here = replace(layout, aws_port=server.server_port)
        answers = [aws_daemon.answers(replace(here, state=state)) for state in (layout.state, tmp_path / "another")]
        server.shutdown()
        thread.join()
    assert answers == [False, True]
