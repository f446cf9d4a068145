"""What pip on this machine was told about indexes, so that a build inside a container asks the same ones.

The files are read here rather than by `pip config list`, which would put an index's password into a log.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

KEPT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
SECTIONS = ("global", "install")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # inside the image: the machine's own bundle is there


def render(environ: Mapping[str, str], files: Iterator[Path] | None = None) -> str:
    """Return a pip.conf for use inside a build; an empty text where this machine has nothing to say.

    Later files win over earlier ones and variables over files, as in pip. Paths of this machine are left out:
    a container has none of them.
    """
    found: dict[str, str] = {}
    own_bundle = False
    for file in files if files is not None else _files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in SECTIONS:
            values = dict(parser[section]) if parser.has_section(section) else {}
            own_bundle = own_bundle or "cert" in values
            found |= {key: value for key, value in values.items() if key in KEPT}
    own_bundle = own_bundle or "PIP_CERT" in environ
    names = {key: f"PIP_{key.replace('-', '_').upper()}" for key in KEPT}
    found |= {key: environ[name] for key, name in names.items() if name in environ}
    if "PIP_DEFAULT_TIMEOUT" in environ:
        found["timeout"] = environ["PIP_DEFAULT_TIMEOUT"]
    lines = [f"{key} = {' '.join(value.split())}" for key, value in sorted(found.items())]
    if own_bundle:
        lines.append(f"cert = {BUNDLE}")
    return "\n".join(("[global]", *lines, "")) if lines else ""


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME", "/nonexistent"))
    yield from (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"))
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if "PIP_CONFIG_FILE" in environ:
        yield Path(environ["PIP_CONFIG_FILE"])
