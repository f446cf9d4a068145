"""All errors, ours and the framework's, as JSON of one shape."""

from __future__ import annotations

import structlog
from flask import Flask, g, json
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as AnyResponse

log = structlog.stdlib.get_logger(__name__)


def install(app: Flask) -> None:
    """Handle every HTTP error and unhandled exception of APP."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> AnyResponse:
    """Keep the status and headers (Allow, Retry-After …) and replace the HTML body."""
    response = error.get_response()
    if error.code is None or error.code < 400:
        return response  # a redirect, or a response made by a view
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
    """Log the exception; tell the client only that there was one, and the request id."""
    log.error("unexpected exception", exc_info=error)
    return _http_error(InternalServerError("Something went wrong on our side."))
