"""What an application says at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest


def exported(requests: dict[tuple[str, str], list[float]], **names: str) -> str:
    """What prometheus-client says of REQUESTS: seconds by route and status."""
    registry = CollectorRegistry()
    counter = Counter(names.get("counter", "http_requests"), "", ("method", "route", "status"), registry=registry)
    histogram = Histogram(
        names.get("histogram", "http_request_duration_seconds"), "", ("method", "route"), registry=registry
    )
    for (route, status), durations in requests.items():
        for seconds in durations:
            counter.labels("GET", route, status).inc()
            histogram.labels("GET", route).observe(seconds)
    return generate_latest(registry).decode()
