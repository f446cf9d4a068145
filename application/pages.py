"""The page with its static files, and the version for programs."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Blueprint, Response, jsonify, render_template, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from application.settings import Settings

STATIC = Path(__file__).parent / "static"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SHORT = 12


def blueprint_for(settings: Settings) -> Blueprint:
    """Return the routes /, /version and /static, which show the release from SETTINGS."""
    blueprint = Blueprint("pages", __name__)
    short = settings.digest.removeprefix("sha256:")[:SHORT] if DIGEST.fullmatch(settings.digest) else ""

    @blueprint.get("/")
    def index() -> str:
        return render_template("index.html", settings=settings, short=short)

    @blueprint.get("/version")
    def version() -> Response:
        return jsonify(revision=settings.revision, digest=settings.digest, pod=settings.pod)

    @blueprint.get("/static/<path:name>")
    def static(name: str) -> AnyResponse:
        # Flask derives the ETag from size and time, but in a reproducible image all times are equal: browsers would
        # keep a changed file of the same size. So derive it from the content.
        response = send_from_directory(STATIC, name, conditional=False, etag=False)
        response.direct_passthrough = False
        del response.headers["Last-Modified"]
        response.add_etag()
        return response.make_conditional(request)

    return blueprint
