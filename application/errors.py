"""Every error, ours or the framework's, answers in one JSON shape."""

from __future__ import annotations

import structlog
from flask import Flask, g, json
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as AnyResponse

log = structlog.stdlib.get_logger(__name__)


def install(app: Flask) -> None:
    """Answer every HTTP error and every exception that a view of APP lets out."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> AnyResponse:
    """Keep the status and headers (Allow, Retry-After …) and replace the HTML body."""
    response = error.get_response()
    if error.code is None or error.code < 400:
        return response  # a redirect, or an answer that a view chose itself
    body = {
        "status": error.code,
        "code": error.name.lower().replace(" ", "_"),
        "message": error.description,
        "request_id": g.get("request_id"),
    }
    response.data = json.dumps({"error": body}) + "\n"
    response.content_type = "application/json"
    return response


def _unexpected(error: Exception) -> AnyResponse:
    """Log what happened; tell the client nothing but that it did, and the id to quote."""
    log.error("unexpected exception", exc_info=error)
    return _http_error(InternalServerError("Something went wrong on our side."))
