from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient

Logged = Callable[[], list[dict[str, Any]]]


def test_a_valid_request_id_is_kept(client: FlaskClient) -> None:
    assert client.get("/", headers={"X-Request-Id": "edge-0a1b2c3d"}).headers["X-Request-Id"] == "edge-0a1b2c3d"


@pytest.mark.parametrize(
    "bad", ["", "short", "a" * 129, "with space in it", 'quote"quote', "ümläut-ümläut", "a/b/c/d/e/f"]
)
def test_an_unusable_request_id_is_replaced(client: FlaskClient, bad: str) -> None:
    given = client.get("/", headers={"X-Request-Id": bad.encode().decode("latin-1")}).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", given)


def test_two_requests_have_two_ids(client: FlaskClient) -> None:
    assert client.get("/").headers["X-Request-Id"] != client.get("/").headers["X-Request-Id"]


def test_the_access_line_describes_request_and_response(client: FlaskClient, logged: Logged) -> None:
    answer = client.get("/version?token=secret", headers={"X-Request-Id": "edge-0a1b2c3d", "User-Agent": "probe/1"})
    (line,) = logged()
    assert line["message"] == "request"
    assert line["level"] == "info"
    assert (line["method"], line["path"], line["route"], line["status"]) == ("GET", "/version", "/version", 200)
    assert line["request_id"] == "edge-0a1b2c3d"
    assert line["bytes"] == len(answer.data)
    assert (line["client"], line["agent"]) == ("127.0.0.1", "probe/1")
    assert line["milliseconds"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])


def test_a_query_is_not_logged(client: FlaskClient, stdout: io.StringIO) -> None:
    client.get("/version?token=hunter2")
    assert "/version" in stdout.getvalue()
    assert "hunter2" not in stdout.getvalue()


def test_a_line_feed_in_the_path_cannot_forge_a_line(client: FlaskClient, logged: Logged) -> None:
    client.get('/x%0a{"message":"forged"}')
    assert [line["message"] for line in logged()] == ["request"]


def test_other_lines_of_a_request_carry_its_id(make: Callable[..., Flask], logged: Logged) -> None:
    app = make()
    app.add_url_rule("/work", view_func=lambda: structlog.stdlib.get_logger("work").info("working") or "")
    app.test_client().get("/work", headers={"X-Request-Id": "edge-0a1b2c3d"})
    assert [(line["message"], line["request_id"]) for line in logged()] == [
        ("working", "edge-0a1b2c3d"),
        ("request", "edge-0a1b2c3d"),
    ]


def test_a_line_after_a_request_does_not_carry_its_id(client: FlaskClient, logged: Logged) -> None:
    client.get("/")
    structlog.stdlib.get_logger("later").info("later")
    assert "request_id" not in logged()[-1]


def test_lines_of_libraries_have_the_same_format(client: FlaskClient, logged: Logged) -> None:
    logging.getLogger("somebody.else").warning("%s things", 3)
    (line,) = logged()
    assert (line["message"], line["level"], line["logger"]) == ("3 things", "warning", "somebody.else")


def test_the_level_is_the_configured_one(make: Callable[..., Flask], logged: Logged) -> None:
    make(log_level="WARNING").test_client().get("/")
    assert logged() == []
