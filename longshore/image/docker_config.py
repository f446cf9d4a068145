"""A copy of the user's Docker configuration with the logins that a build needs; the user's own is only read.

Contexts, builders, plugins and other registries' logins stay what they are. A helper that keeps all logins
(`credsStore`) would hide ours, so in the copy it keeps only those that it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.errors import Precondition
from longshore.files import from_json
from longshore.image.registry import HUB, HUB_LOGIN

FILE = "config.json"


def write(target: Path, own: Path, logins: Mapping[str, str]) -> None:
    """Make TARGET, an empty folder, a copy of the folder OWN with LOGINS (`user:password` in base64, by registry).

    Raises Precondition where the user's configuration cannot be read.
    """
    config = merged(_read(own / FILE), logins)
    if own.is_dir():
        for entry in own.iterdir():
            if entry.name != FILE:
                (target / entry.name).symlink_to(entry.absolute())
    file = target / FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps(config), encoding="utf-8")


def server(host: str) -> str:
    """Return what the configuration calls the registry at HOST."""
    return HUB_LOGIN if host == HUB else host


def login(own: Path, host: str) -> str:
    """Return the login of the registry at HOST that the folder OWN holds, or an empty text; no helper is asked."""
    try:
        return str((_read(own / FILE).get("auths") or {}).get(server(host), {}).get("auth") or "")
    except (Precondition, AttributeError):
        return ""


def merged(config: Mapping[str, Any], logins: Mapping[str, str]) -> dict[str, Any]:
    """Return Docker's CONFIG with LOGINS."""
    result = dict(config)
    auths, helpers = dict(config.get("auths") or {}), dict(config.get("credHelpers") or {})
    if store := result.pop("credsStore", ""):
        helpers = dict.fromkeys(auths, store) | helpers
    for registry, login in logins.items():
        helpers.pop(registry, None)
        auths[registry] = {"auth": login}
    return result | {"auths": auths} | ({"credHelpers": helpers} if helpers or "credHelpers" in result else {})


def _read(file: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = from_json(file.read_bytes(), dict[str, Any])
        for table in ("auths", "credHelpers"):
            from_json(json.dumps(config.get(table) or {}), dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        hint = "mend it, or point DOCKER_CONFIG to another folder"
        raise Precondition(f"{file} cannot be read: {problem}", hint=hint) from None
    return config
