from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from application import create_app
from application.settings import Settings

Logged = Callable[[], list[dict[str, Any]]]


def test_both_probes_answer_ok(client: FlaskClient) -> None:
    assert [(client.get(path).status_code, client.get(path).text) for path in ("/livez", "/readyz")] == [
        (200, "ok\n")
    ] * 2


def test_while_draining_the_pod_is_alive_but_not_ready(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "draining").touch()
    assert (client.get("/readyz").status_code, client.get("/livez").status_code) == (503, 200)
    (tmp_path / "draining").unlink()
    assert client.get("/readyz").status_code == 200


def test_while_draining_pages_are_still_served(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "draining").touch()
    assert client.get("/").status_code == 200


def test_without_a_run_folder_the_service_is_never_draining() -> None:
    assert create_app(Settings()).test_client().get("/readyz").status_code == 200


def test_probes_answer_under_the_pods_address_and_any_host(make: Callable[..., Flask]) -> None:
    client = make(trusted_hosts=("shop.example.com",)).test_client()
    statuses = [
        client.get(path, headers={"Host": "10.2.0.7:5000"}).status_code for path in ("/livez", "/readyz", "/metrics")
    ]
    assert statuses == [200, 200, 200]


def test_probes_are_logged_only_when_they_fail(client: FlaskClient, logged: Logged, tmp_path: Path) -> None:
    client.get("/livez")
    client.get("/readyz")
    assert logged() == []
    (tmp_path / "draining").touch()
    client.get("/readyz")
    assert [line["status"] for line in logged()] == [503]
