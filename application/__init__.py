"""The shop's web service: one page, its version, its probes and its metrics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from application.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["create_app"]


def create_app(config: Settings | None = None) -> Flask:
    """Assemble the service from CONFIG, or from the process's environment where none is given.

    Raises SettingsError with one sentence where a setting is unusable.
    """
    # Imported here because prometheus_client decides at import whether several workers share their
    # counts, and gunicorn.conf.py reads this package's settings before it has told it so.
    from flask import Flask

    from application import access, errors, logs, metrics, pages, probes, security

    settings = config or Settings.read(os.environ)
    logs.configure(settings.log_level)
    app = Flask("application", static_folder=None)
    access.install(app)  # first: every later refusal needs a request id and an access line
    metrics.install(app, settings)
    security.install(app, settings)
    errors.install(app)
    app.register_blueprint(probes.blueprint_for(settings.draining_file))
    app.register_blueprint(pages.blueprint_for(settings))
    # Parsed now, so that a broken template stops the start and not the first reader.
    for template in app.jinja_env.list_templates():
        app.jinja_env.get_template(template)
    return app
