"""Where pip on this machine finds packages: builds in a container and virtualenvs of uv's get them from there, too.

The files are read here rather than by `pip config list`, which would put an index's password into a log.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from longshore.process.command import Secret
from longshore.settings.host import Host

SECTIONS = ("global", "install")
# A variable of uv's for each option of pip's, unless the shell sets one of the others.
FOR_UV = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "no-index": ("UV_NO_INDEX",),
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy"),
}


def options(host: Host, files: Iterable[Path] | None = None) -> dict[str, str]:
    """Return pip's options (`index-url`) and their values, each in a line: later FILES win, and variables over all."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}  # the second wins, whatever the file
    for file in files if files is not None else _files(host):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in SECTIONS:
            options = parser[section].items() if parser.has_section(section) else ()
            found[section] |= {name.replace("_", "-"): value for name, value in options}
    values = {name: value for section in SECTIONS for name, value in found[section].items() if value}
    values |= {name.removeprefix("PIP_").lower().replace("_", "-"): value.reveal() for name, value in host.pip.items()}
    if "default-timeout" in values:
        values["timeout"] = values["default-timeout"]
    return {name: " ".join(value.split()) for name, value in values.items()}


def for_uv(values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str | Secret]:
    """Return as variables of uv's what pip's options VALUES say and no variable of ENVIRON does.

    A URL that holds a name or a password is secret.
    """
    env: dict[str, str | Secret] = {}
    for option, (variable, *others) in FOR_UV.items():
        value = values.get(option, "")
        if value and not any(name in environ for name in (variable, *others)):
            text = value.replace(" ", ",") if variable == "UV_FIND_LINKS" else value
            env[variable] = Secret(text) if "@" in text else text
    if "UV_EXTRA_INDEX_URL" in env and "UV_INDEX_STRATEGY" not in environ:
        env["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip, which builds the image with these settings
    return env


def _files(host: Host) -> Iterator[Path]:
    yield from (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"))
    yield host.home / ".pip" / "pip.conf"
    yield host.config / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if file := host.pip.get("PIP_CONFIG_FILE"):
        yield Path(file.reveal())
