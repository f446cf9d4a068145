"""The login of an environment's registry: the user `AWS`, as in ECR, with a password of this environment's own.

It is stored in the form that every client reads, a folder with Docker's config.json; the registry has only its hash.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path

from localcloud.layout import Layout
from longshore.files import locked, write_if_changed

USER = "AWS"


def hashed(layout: Layout) -> Path:
    """Return the htpasswd file that the registry checks logins against."""
    return layout.state / "registry.htpasswd"


def ensure(layout: Layout) -> None:
    """Create the login of the environment's own registry, once: it lasts as long as the environment."""
    with locked(layout.state / "registry.lock", time.sleep):  # the local AWS and the registry start at the same time
        if not (token(layout) and hashed(layout).exists()):
            _create(layout)


def _create(layout: Layout) -> None:
    import bcrypt

    password = secrets.token_urlsafe(32)
    # Cheap on purpose: the registry hashes at each request, and nobody guesses 256 bits.
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
    write_if_changed(hashed(layout), f"{USER}:{digest}\n", mode=0o600)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    config = {"auths": {layout.registry: {"auth": auth}}}
    write_if_changed(layout.docker_config / "config.json", json.dumps(config), mode=0o600)


def token(layout: Layout) -> str:
    """Return the registry's login in base64, or an empty text if there is none."""
    return read(layout.docker_config, layout.registry)


def read(folder: Path, registry: str) -> str:
    """Return the login for REGISTRY in FOLDER's config.json in base64, or an empty text if there is none."""
    try:
        return str(json.loads((folder / "config.json").read_text())["auths"][registry]["auth"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def headers(layout: Layout) -> dict[str, str]:
    """Return the HTTP headers that log in to the registry."""
    login = token(layout)
    return {"Authorization": f"Basic {login}"} if login else {}
