"""The secret of an environment, which opens what its local AWS has besides AWS's own services.

The API server has it in its webhook's settings, Longshore's commands read it; nobody else on this machine can.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from longshore.files import write_atomically

USER = "longshore"


def ensure(file: Path) -> str:
    """Return the secret in FILE, which the first call creates, readable by its owner alone."""
    if not file.exists():
        draft = file.with_name(f".{secrets.token_hex(8)}")
        write_atomically(draft, secrets.token_urlsafe(32), 0o600)
        with contextlib.suppress(FileExistsError):  # the node and the AWS may start at the same time
            os.link(draft, file)
        draft.unlink()
    return file.read_text()


def login(secret: str) -> str:
    """Return the Authorization header that shows SECRET.

    It is HTTP's Basic since client-go sends no other credential over plain HTTP: this one it takes from the URL.
    """
    return "Basic " + base64.b64encode(f"{USER}:{secret}".encode()).decode()


def headers(file: Path) -> dict[str, str]:
    """Return what a request has to send; nothing while there is no secret."""
    try:
        return {"Authorization": login(file.read_text())}
    except OSError:
        return {}
