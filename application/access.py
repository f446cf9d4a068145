"""A request id and one access line for every request."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

log = structlog.stdlib.get_logger("application.access")

# Short and plain, so that an id from outside can neither forge nor inflate a log line.
VALID_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


def install(app: Flask) -> None:
    """Give every request of APP an id, measure its time and log it. Install this first."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)


def route() -> str:
    """Return the template of the matched route: there are few templates, but any number of raw paths."""
    return request.url_rule.rule if request.url_rule else "unmatched"


def _begin() -> None:
    request_id = request.headers.get("X-Request-Id", "")
    g.request_id = request_id if VALID_ID.fullmatch(request_id) else uuid.uuid4().hex
    g.began = time.monotonic()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    # Probes come several times a second; log them only when they fail.
    quiet = request.blueprint == "probes" and response.status_code < 400
    (log.debug if quiet else log.info)(
        "request",
        method=request.method,
        path=request.path,  # without the query, which may hold secrets
        route=route(),
        status=response.status_code,
        bytes=response.content_length,
        milliseconds=round((time.monotonic() - g.began) * 1000, 1),
        client=request.remote_addr,
        agent=request.user_agent.string[:200],
    )
    return response


def _forget(_: BaseException | None) -> None:
    structlog.contextvars.unbind_contextvars("request_id")
