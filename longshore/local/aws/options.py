"""What one local AWS is started with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"  # moto's own default
PARTITION = "aws"


@dataclass
class Options:
    """Settings of this process.

    `cluster` is a JSON file with `endpoint`, `ca` (base64 PEM), `issuer` and optionally `name`, all of the real API server, and
    with `node` (where NodePorts answer) and `access_log` (of the edge); it is read at each call, so it may be written later.
    `registry` is the HOST:PORT that ECR names, `docker_config` the folder with its login.
    """

    hosts: frozenset[str] = frozenset({"127.0.0.1:4566"})
    cluster: Path | None = None
    registry: str = ""
    docker_config: Path = Path("/nonexistent")

    def real_cluster(self) -> dict[str, Any]:
        """Return what is known of the API server behind DescribeCluster; empty before it exists."""
        try:
            found = json.loads(self.cluster.read_text()) if self.cluster else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class _Holder:
    options: Options = field(default_factory=Options)


_HOLDER = _Holder()


def configure(options: Options) -> None:
    """Set what the mended services look up. Moto's state is one per process, and so is this."""
    _HOLDER.options = options


def current() -> Options:
    """Return the options of this process."""
    return _HOLDER.options
