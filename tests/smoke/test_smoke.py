"""What a release asks of its public URL before it counts as good.

LONGSHORE_URL is the address, LONGSHORE_CA a file with the authority to trust (locally; else the system's), and
LONGSHORE_REVISION and LONGSHORE_DIGEST, where given, what has to answer. LONGSHORE_USER_AGENT is sent as User-Agent.
LONGSHORE_PROVE is 1 where a single pod is asked before it is rolled out, over plain HTTP and past the load balancer:
skip then what only the public address has.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest

URL = os.environ.get("LONGSHORE_URL", "").rstrip("/")
# Without one, the core rule set of AWS's web ACL would answer in the release's place.
AGENT = os.environ.get("LONGSHORE_USER_AGENT", "longshore-smoke")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes


@pytest.fixture(scope="module")
def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ.get("LONGSHORE_CA") or None)


@pytest.fixture(autouse=True)
def localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under .localhost are this machine (RFC 6761), which not every resolver knows."""
    ask = socket.getaddrinfo

    def answer(host: str, *rest: Any, **options: Any) -> Any:
        return ask("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def get(path: str, trust: ssl.SSLContext) -> Answer:
    assert URL, "LONGSHORE_URL names the address to test"
    request = urllib.request.Request(URL + path, headers={"User-Agent": AGENT})
    try:
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        with answer:
            return Answer(answer.code, answer.headers, answer.read())


@pytest.mark.parametrize("path", ["/", "/version", "/livez", "/readyz", "/static/style.css"])
def test_it_answers(path: str, trust: ssl.SSLContext) -> None:
    assert get(path, trust).status == 200


def test_the_release_answers(trust: ssl.SSLContext) -> None:
    version = json.loads(get("/version", trust).body)
    assert version.keys() == {"revision", "digest", "pod"}
    expected = {key: os.environ.get(f"LONGSHORE_{key.upper()}") or version[key] for key in ("revision", "digest")}
    assert {key: version[key] for key in expected} == expected


def test_the_page_names_the_release(trust: ssl.SSLContext) -> None:
    revision = json.loads(get("/version", trust).body)["revision"]
    page = get("/", trust)
    assert page.headers.get_content_type() == "text/html"
    assert revision in page.body.decode()


def test_browsers_are_told_what_to_refuse(trust: ssl.SSLContext) -> None:
    headers = get("/", trust).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    if URL.startswith("https:"):
        assert headers["Strict-Transport-Security"].startswith("max-age=")


def test_an_unknown_page_answers_in_the_error_shape(trust: ssl.SSLContext) -> None:
    answer = get("/no-such-page", trust)
    error = json.loads(answer.body)["error"]
    assert answer.status == error["status"] == 404
    assert error["code"] == "not_found"
    assert error["request_id"] == answer.headers["X-Request-Id"]
