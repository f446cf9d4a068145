"""Prometheus metrics by route template, summed over the workers of this pod."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, abort, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from application.access import route
from application.settings import Settings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one application object, in their own registry."""

    def __init__(self, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "http_request_duration_seconds", "Time to answer.", ("method", "route"), registry=self.registry
        )
        self.running = Gauge(
            "http_requests_in_progress",
            "Requests being answered now.",
            ("method", "route"),
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        release = Gauge(
            "app_release",
            "Always 1; the labels identify the release.",
            ("revision", "digest"),
            registry=self.registry,
            multiprocess_mode="max",
        )
        release.labels(settings.revision, settings.digest).set(1)

    def begin(self) -> None:
        """Count a request as running."""
        # Clients can make up any number of methods; each would be a time series.
        g.labels = (request.method if request.method in METHODS else "other", route())
        g.counted_from = time.perf_counter()
        self.running.labels(*g.labels).inc()

    def finish(self, response: Response) -> Response:
        """Count the response and its duration."""
        self.requests.labels(*g.labels, response.status_code).inc()
        self.seconds.labels(*g.labels).observe(time.perf_counter() - g.counted_from)
        return response

    def end(self, _: BaseException | None) -> None:
        """Count the request as ended, whatever the outcome."""
        if labels := g.pop("labels", None):
            self.running.labels(*labels).dec()

    def text(self) -> bytes:
        """Return the counts of all workers in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        combined = CollectorRegistry()
        MultiProcessCollector(combined)  # type: ignore[no-untyped-call]
        return generate_latest(combined)


def install(app: Flask, settings: Settings) -> None:
    """Count every request of APP and serve the counts at /metrics."""
    metrics = Metrics(settings)

    def serve() -> Response:
        # Requests through the load balancer have this header; those of a scraper inside the cluster do not.
        if not settings.public_metrics and settings.proxy_hops and "X-Forwarded-For" in request.headers:
            abort(404)
        return Response(metrics.text(), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/metrics", "metrics", serve)
    app.before_request(metrics.begin)
    app.after_request(metrics.finish)
    app.teardown_request(metrics.end)
