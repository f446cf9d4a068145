"""Kubernetes' probes: whether to restart this process, and whether to send it traffic."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, abort


def blueprint_for(draining_file: Path | None) -> Blueprint:
    """Return the routes /livez and /readyz; the latter fails once DRAINING_FILE exists."""
    blueprint = Blueprint("probes", __name__)

    @blueprint.get("/livez")
    def livez() -> tuple[str, dict[str, str]]:
        # Checks no dependency: a restart would not repair it.
        return "ok\n", {"Content-Type": "text/plain"}

    @blueprint.get("/readyz")
    def readyz() -> tuple[str, dict[str, str]]:
        if draining_file and draining_file.exists():
            abort(503, "This pod is draining and takes no new traffic.")
        return "ok\n", {"Content-Type": "text/plain"}

    return blueprint
