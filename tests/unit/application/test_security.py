from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}


def test_every_answer_forbids_what_the_service_does_not_need(client: FlaskClient) -> None:
    for path in ("/", "/version", "/static/style.css", "/metrics", "/livez", "/nothing"):
        headers = client.get(path).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        for directive in ("default-src", "frame-ancestors", "base-uri", "form-action"):
            assert policy[directive] == "'none'"
        assert policy["style-src"] == policy["img-src"] == "'self'"


def test_hsts_is_sent_only_over_https(make: Callable[..., Flask]) -> None:
    client = make(hsts_seconds=600).test_client()
    assert "Strict-Transport-Security" not in client.get("/").headers
    assert client.get("/", base_url="https://shop.test").headers["Strict-Transport-Security"] == "max-age=600"


def test_hsts_can_be_switched_off(make: Callable[..., Flask]) -> None:
    answer = make(hsts_seconds=0).test_client().get("/", base_url="https://shop.test")
    assert "Strict-Transport-Security" not in answer.headers


def test_plain_http_is_answered_and_not_redirected(client: FlaskClient) -> None:
    assert [client.get(path).status_code for path in ("/", "/livez", "/readyz")] == [200, 200, 200]


def seen_by(app: Flask) -> dict[str, object]:
    app.add_url_rule(
        "/seen", view_func=lambda: {"client": request.remote_addr, "secure": request.is_secure, "host": request.host}
    )
    headers = {**FORWARDED, "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    seen: dict[str, object] = app.test_client().get("/seen", headers=headers).get_json()
    return seen


def test_forwarded_headers_are_not_trusted_by_default(make: Callable[..., Flask]) -> None:
    assert seen_by(make()) == {"client": "127.0.0.1", "secure": False, "host": "localhost"}


def test_one_hop_trusts_only_what_the_last_proxy_added(make: Callable[..., Flask]) -> None:
    assert seen_by(make(proxy_hops=1)) == {"client": "198.51.100.7", "secure": True, "host": "localhost"}


def test_two_hops_trust_one_address_more(make: Callable[..., Flask]) -> None:
    assert seen_by(make(proxy_hops=2)) == {"client": "203.0.113.9", "secure": True, "host": "localhost"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example.com", 200),
        ("shop.example.com:8443", 200),
        ("SHOP.example.com", 200),
        ("a.inner.test", 200),
        ("evil.example.com", 400),
        ("shop.example.com.evil.test", 400),
        ("10.2.0.7:5000", 400),
    ],
)
def test_only_trusted_hosts_are_served(make: Callable[..., Flask], host: str, status: int) -> None:
    client = make(trusted_hosts=("shop.example.com", ".inner.test")).test_client()
    assert client.get("/", headers={"Host": host}).status_code == status


def test_without_trusted_hosts_any_host_is_served(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "anything.test"}).status_code == 200


def test_a_body_above_the_limit_is_refused_before_a_view_runs(make: Callable[..., Flask]) -> None:
    app, ran = make(max_body_bytes=10), []
    app.add_url_rule("/take", view_func=lambda: ran.append(1) or "", methods=["POST"])
    client = app.test_client()
    assert client.post("/take", data=b"x" * 11).status_code == 413
    assert ran == []
    assert client.post("/take", data=b"x" * 10).status_code == 200


def test_a_body_of_undeclared_length_is_refused_when_it_is_read(make: Callable[..., Flask]) -> None:
    app = make(max_body_bytes=10)
    app.add_url_rule("/take", view_func=lambda: str(len(request.data)), methods=["POST"])
    answer = app.test_client().post(
        "/take", input_stream=io.BytesIO(b"x" * 11), environ_overrides={"wsgi.input_terminated": True}
    )
    assert answer.status_code == 413
