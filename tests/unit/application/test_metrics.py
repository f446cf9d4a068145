from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families


def samples(client: FlaskClient, name: str) -> dict[tuple[str, ...], float]:
    """Return NAME's samples as {(label values in the order of their names): value}."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    matching = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels[key] for key in sorted(sample.labels)): sample.value for sample in matching}


def test_requests_are_counted_by_method_route_and_status(client: FlaskClient) -> None:
    client.get("/version")
    client.get("/version")
    client.post("/version")
    counted = samples(client, "http_requests_total")
    assert counted["GET", "/version", "200"] == 2
    assert counted["POST", "unmatched", "405"] == 1


def test_a_route_is_named_by_its_template(client: FlaskClient) -> None:
    client.get("/static/style.css")
    client.get("/static/nothing.css")
    counted = samples(client, "http_requests_total")
    assert counted["GET", "/static/<path:name>", "200"] == counted["GET", "/static/<path:name>", "404"] == 1


def test_unknown_paths_and_methods_make_one_series_each(client: FlaskClient) -> None:
    for number in range(20):
        client.get(f"/nothing-{number}")
        client.open("/", method=f"MADE{number}")
    counted = samples(client, "http_requests_total")
    assert counted == {("GET", "unmatched", "404"): 20, ("other", "unmatched", "405"): 20}


def test_time_is_measured_for_every_request(client: FlaskClient) -> None:
    client.get("/version")
    assert samples(client, "http_request_duration_seconds_count")["GET", "/version"] == 1
    assert 0 < samples(client, "http_request_duration_seconds_sum")["GET", "/version"] < 1


def test_nothing_is_in_progress_after_a_failure(make: Callable[..., Flask]) -> None:
    app = make()
    app.add_url_rule("/fail", view_func=lambda: 1 // 0)
    client = app.test_client()
    client.get("/fail")
    running = samples(client, "http_requests_in_progress")
    assert running == {("GET", "/fail"): 0, ("GET", "/metrics"): 1}


def test_refused_requests_are_counted(make: Callable[..., Flask]) -> None:
    client = make(trusted_hosts=("shop.example.com",)).test_client()
    client.get("/", headers={"Host": "evil.test"})
    assert samples(client, "http_requests_total")["GET", "/", "400"] == 1


def test_the_release_is_a_metric(client: FlaskClient) -> None:
    (labels,) = samples(client, "app_release")
    assert labels == ("sha256:" + "0123456789abcdef" * 4, "4f2a9c1")


def test_two_applications_count_separately(make: Callable[..., Flask]) -> None:
    first, other = make().test_client(), make().test_client()
    first.get("/version")
    assert ("GET", "/version", "200") not in samples(other, "http_requests_total")


@pytest.mark.parametrize(
    ("settings", "status"),
    [({"proxy_hops": 1}, 404), ({"proxy_hops": 1, "public_metrics": True}, 200), ({"proxy_hops": 0}, 200)],
)
def test_metrics_are_hidden_from_requests_through_the_load_balancer(
    make: Callable[..., Flask], settings: dict[str, Any], status: int
) -> None:
    client = make(**settings).test_client()
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == status
    assert client.get("/metrics").status_code == 200
