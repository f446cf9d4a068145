from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort, redirect, session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Logged = Callable[[], list[dict[str, Any]]]


def error_of(answer: TestResponse) -> dict[str, Any]:
    assert answer.content_type == "application/json"
    body = answer.get_json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"status", "code", "message", "request_id"}
    assert body["error"]["status"] == answer.status_code
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    error: dict[str, Any] = body["error"]
    return error


def test_an_unknown_page(client: FlaskClient) -> None:
    error = error_of(client.get("/nothing"))
    assert (error["status"], error["code"]) == (404, "not_found")


def test_a_wrong_method_is_answered_with_the_allowed_ones(client: FlaskClient) -> None:
    answer = client.post("/version")
    assert error_of(answer)["code"] == "method_not_allowed"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_draining_pod(client: FlaskClient, tmp_path: Any) -> None:
    (tmp_path / "draining").touch()
    assert error_of(client.get("/readyz"))["code"] == "service_unavailable"


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 415, 418, 422, 429, 500, 501, 502, 503, 504])
def test_every_http_error_has_the_shape(make: Callable[..., Flask], status: int) -> None:
    app = make()
    app.add_url_rule("/fail", view_func=lambda: abort(status))
    assert error_of(app.test_client().get("/fail"))["status"] == status


def test_an_unexpected_exception_is_hidden_from_the_client(make: Callable[..., Flask], logged: Logged) -> None:
    app = make()

    def fail() -> str:
        raise RuntimeError("password is hunter2")

    app.add_url_rule("/fail", view_func=fail)
    answer = app.test_client().get("/fail")
    assert error_of(answer)["code"] == "internal_server_error"
    assert "hunter2" not in answer.text


def test_an_unexpected_exception_is_logged_in_full_with_its_request_id(
    make: Callable[..., Flask], logged: Logged
) -> None:
    app = make()
    app.add_url_rule("/fail", view_func=lambda: 1 // 0)
    app.test_client().get("/fail", headers={"X-Request-Id": "edge-0a1b2c3d"})
    failure, access = logged()
    assert failure["level"] == "error"
    assert failure["exception"].startswith("Traceback")
    assert failure["exception"].endswith("ZeroDivisionError: integer division or modulo by zero")
    assert {failure["request_id"], access["request_id"]} == {"edge-0a1b2c3d"}
    assert access["status"] == 500


def test_errors_carry_the_security_headers(make: Callable[..., Flask]) -> None:
    app = make()
    app.add_url_rule("/fail", view_func=lambda: 1 // 0)
    client = app.test_client()
    for path in ("/fail", "/nothing"):
        assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_a_redirect_stays_a_redirect(make: Callable[..., Flask]) -> None:
    app = make()
    app.add_url_rule("/old", view_func=lambda: abort(redirect("/version")))
    app.add_url_rule("/folder/", "folder", lambda: "")
    client = app.test_client()
    assert client.get("/old").headers["Location"] == "/version"
    assert client.get("/folder").status_code == 308


def test_a_session_without_a_key_fails_instead_of_being_signed_by_a_default(make: Callable[..., Flask]) -> None:
    app = make()
    app.add_url_rule("/login", view_func=lambda: session.update(user=1) or "")
    answer = app.test_client().get("/login")
    assert answer.status_code == 500
    assert "Set-Cookie" not in answer.headers


def test_a_session_cookie_is_only_for_https_and_hidden_from_scripts(make: Callable[..., Flask]) -> None:
    app = make(secret_key="k" * 32)
    app.add_url_rule("/login", view_func=lambda: session.update(user=1) or "")
    cookie = app.test_client().get("/login").headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
