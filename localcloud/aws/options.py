"""What a local AWS is started with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"  # moto's own default
PARTITION = "aws"


@dataclass
class Options:
    """Settings of this process.

    `cluster` is a JSON file about the real API server: `endpoint`, `ca` (base64 PEM), `issuer`, optionally `name`,
    `node` (where NodePorts answer; of several, `nodes`, and the folder `unhealthy` in which to say which of them are),
    `access_log` (of the edge) and `kubeconfig` (of the administrator, with a context
    called `name`). It is read at each call, so it may be written later.
    `registry` is the HOST:PORT that ECR names, `docker_config` the folder with its login. `hosts` are the names that
    clients may use for this server. `secret` opens its own routes; without one they are closed. `issuers` is a JSON
    file, read at each call, with the keys (as a JWKS) of more issuers of web identity tokens, by URL.
    `parent` is the file with the delegations of domains (`parent.py`), which an operator writes.
    """

    hosts: frozenset[str] = frozenset({"127.0.0.1:4566"})
    cluster: Path | None = None
    registry: str = ""
    docker_config: Path = Path("/nonexistent")
    secret: str = ""
    issuers: Path | None = None
    parent: Path = Path("/nonexistent")

    def keys_of(self, issuer: str) -> list[dict[str, Any]]:
        """Return the public keys of the token issuer with this URL; none if they are not known."""
        real = self.real_cluster()
        known = _read(self.issuers) | ({real["issuer"]: real.get("issuer_keys")} if "issuer" in real else {})
        keys = (known.get(issuer) or {}).get("keys", [])
        return [key for key in keys if isinstance(key, dict)]

    def real_cluster(self) -> dict[str, Any]:
        """Return what `cluster` holds; empty while there is no such cluster."""
        return _read(self.cluster)


def _read(file: Path | None) -> dict[str, Any]:
    """Return the object in the JSON FILE; empty while there is none."""
    try:
        content = json.loads(file.read_text()) if file else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


_CURRENT = [Options()]


def configure(options: Options) -> None:
    """Set the options of this process. One set is enough: moto's state is one per process, too."""
    _CURRENT[:] = [options]


def current() -> Options:
    """Return the options of this process."""
    return _CURRENT[0]
