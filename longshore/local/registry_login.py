"""Who may push to an environment's registry and pull from it: the user `AWS`, as in ECR, with a password of this environment's own.

It is kept in the form that every client reads, a folder with Docker's config.json; the registry itself knows the hash alone.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

from longshore.local.files import write
from longshore.local.place import Place

USER = "AWS"


def hashed(place: Place) -> Path:
    """Return the file that the registry checks logins against."""
    return place.state / "registry.htpasswd"


def ensure(place: Place) -> None:
    """Make the login of the environment's own registry once. The password is kept as long as the environment is."""
    if token(place) and hashed(place).exists():
        return
    import bcrypt

    password = secrets.token_urlsafe(32)
    # Cheap on purpose: the registry hashes at each request, and nobody guesses 256 bits.
    mark = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
    write(hashed(place), f"{USER}:{mark}\n", mode=0o600)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    write(
        place.docker_config / "config.json",
        json.dumps({"auths": {place.registry: {"auth": auth}}}),
        mode=0o600,
    )


def token(place: Place) -> str:
    """Return the registry's login in base64; an empty text where there is none."""
    return read(place.docker_config, place.registry)


def read(folder: Path, registry: str) -> str:
    """Return what Docker's configuration in FOLDER has for REGISTRY, in base64, or an empty text."""
    try:
        return str(json.loads((folder / "config.json").read_text())["auths"][registry]["auth"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def headers(place: Place) -> dict[str, str]:
    """Return what a question to the registry has to carry."""
    known = token(place)
    return {"Authorization": f"Basic {known}"} if known else {}
