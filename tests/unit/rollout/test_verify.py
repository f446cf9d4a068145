"""The public address is asked until it answers with the release, over TLS that is really checked."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.rollout import verify
from tests.unit.rollout.things import certificate

RIGHT = {"digest": "sha256:new", "revision": "new", "pod": "app-1"}


class Site:
    def __init__(self, folder: Path) -> None:
        self.answers: list[object] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
                self.send_response(answer if isinstance(answer, int) else 200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.authority, key = certificate(folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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


def ask(site: Site, deadline: float = 5) -> set[str]:
    return verify.until_answers(
        site.url, site.authority, digest="sha256:new", revision="new", deadline=deadline, pause=lambda seconds: None, say=lambda text: None
    )  # fmt: skip


def test_every_answer_in_a_row_must_be_the_release(site: Site) -> None:
    old = RIGHT | {"digest": "sha256:old"}
    site.answers = [old, RIGHT, RIGHT, old, 502, RIGHT | {"pod": "app-2"}, RIGHT]
    assert ask(site) == {"app-1", "app-2"}


def test_another_digest_is_named_in_the_failure(site: Site) -> None:
    site.answers = [RIGHT | {"digest": "sha256:old", "revision": "old"}]
    with pytest.raises(verify.Unverified, match="it answers with revision old, digest sha256:old"):
        ask(site, deadline=0.2)


def test_an_error_page_is_not_the_release(site: Site) -> None:
    site.answers = [503]
    with pytest.raises(verify.Unverified, match="answered 503"):
        ask(site, deadline=0.2)


def test_a_certificate_of_another_authority_is_not_accepted(site: Site) -> None:
    site.answers = [RIGHT]
    site.authority = None  # type: ignore[assignment]
    with pytest.raises(verify.Unverified, match="certificate verify failed"):
        ask(site, deadline=0.2)
