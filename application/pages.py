"""What people see: the page, its static files, and the version for programs."""

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
    """The page, /version and /static, all telling what SETTINGS say runs here."""
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
        # Flask's own ETag is made of size and time, and in a reproducible image all times are equal:
        # a changed file of equal size would stay in every browser. So the tag is of the content.
        response = send_from_directory(STATIC, name, conditional=False, etag=False)
        response.direct_passthrough = False
        del response.headers["Last-Modified"]
        response.add_etag()
        return response.make_conditional(request)

    return blueprint
