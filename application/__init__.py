"""The shop's web service: one page, its version, its probes and its metrics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from application.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["create_app"]


def create_app(config: Settings | None = None) -> Flask:
    """Create the service from CONFIG, or from the environment variables if none is given.

    Raises SettingsError if a setting is invalid.
    """
    # Imported here because prometheus_client decides on import whether workers share their counts, and gunicorn.conf.py
    # imports this package before it sets the variable for that.
    from flask import Flask

    from application import access, errors, logs, metrics, pages, probes, security

    settings = config or Settings.read(os.environ)
    logs.configure(settings.log_level)
    app = Flask("application", static_folder=None)
    access.install(app)  # first, so that refused requests also get an id and an access line
    metrics.install(app, settings)
    security.install(app, settings)
    errors.install(app)
    app.register_blueprint(probes.blueprint_for(settings.draining_file))
    app.register_blueprint(pages.blueprint_for(settings))
    # Compiled now, so that a broken template fails the start and not a request.
    for template in app.jinja_env.list_templates():
        app.jinja_env.get_template(template)
    return app
