"""The package indexes that pip on this machine is configured to use, so that a build in a container uses the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from longshore.settings import pip
from longshore.settings.host import Host

KEPT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # inside the image: the machine's own bundle is there


def render(host: Host, files: Iterator[Path] | None = None) -> str:
    """Return a pip.conf for use inside a build, empty if this machine configures nothing.

    As in pip, later files win over earlier ones and environment variables over files. Paths of this machine are left
    out, since a container does not have them.
    """
    values = pip.options(host, files)
    lines = [f"{key} = {values[key]}" for key in sorted(KEPT) if key in values]
    if "cert" in values:
        lines.append(f"cert = {BUNDLE}")
    return "\n".join(("[global]", *lines, "")) if lines else ""
