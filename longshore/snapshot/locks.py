"""What says which releases an application depends on: a requirements file or the lock of uv, Poetry, PDM or Pipenv.

The one place that knows the kinds of locks. What any program can read is read here; of the others, their own tool says
what they pin.
"""

from __future__ import annotations

import ast
import configparser
import json
import posixpath
import re
import tomllib
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from longshore.errors import BadInput
from longshore.snapshot import requirements, syntax
from longshore.snapshot.requirements import Requirements
from longshore.snapshot.snapshot import Snapshot

PROJECT = "pyproject.toml"
CHOSEN = re.compile(r"[\"']([\w.-]+)[\"']\s+(not\s+)?in\s+(dependency_groups|extras)\b")  # what PEP 751 adds to markers
Reader = Callable[[str, bool], str]  # of a text, and whether with what only its authors install: as pip reads it
LOCAL = ("directory", "path", "editable", "virtual", "file")  # kinds of places in the repository


class Export(Struct, frozen=True, kw_only=True):
    """How a lock's tool, which `packages` install, prints what it pins as pip reads it.

    `command` with the words of `production` prints what serves, with those of `development` all that its authors
    install. `extra` is the option that adds one of the project's extras, `group` a dependency group; it is empty where
    all of them are among what its authors install.
    """

    packages: tuple[str, ...]
    command: tuple[str, ...]
    production: tuple[str, ...]
    development: tuple[str, ...] = ()
    extra: str
    group: str = ""


EXPORTS = {
    "uv.lock": Export(
        packages=("uv",),
        command=("uv", "export", "--frozen", "--no-emit-project", "--no-header"),
        production=("--no-dev",),
        extra="--extra",
        group="--group",
    ),
    "poetry.lock": Export(
        packages=("poetry", "poetry-plugin-export"),
        command=("poetry", "export"),
        production=("--only=main",),
        development=("--all-groups",),
        extra="--extras",
    ),
    "pdm.lock": Export(
        packages=("pdm",), command=("pdm", "export", "--format=requirements"), production=("--prod",), extra="--group"
    ),
}


def _pylock(text: str, development: bool) -> str:
    """Return what a pylock.toml pins as pip reads it, of its default groups or of all, and without extras."""
    document, lines = tomllib.loads(text), []
    defaults = document.get("default-groups", ())

    def known(term: re.Match[str]) -> str:  # pip knows neither kind of term
        chosen = term[3] == "dependency_groups" and (development or term[1] in defaults)
        return "python_version > '0'" if chosen is not bool(term[2]) else "python_version < '0'"

    for package in document.get("packages", ()):
        vcs, archive, folder = (package.get(key) for key in ("vcs", "archive", "directory"))
        files = [*package.get("wheels", ()), *(file for file in (package.get("sdist"), archive) if file)]
        hashes = " ".join(f"--hash={kind}:{each}" for file in files for kind, each in list(file["hashes"].items())[:1])
        marker = f" ; {CHOSEN.sub(known, package['marker'])}" if "marker" in package else ""
        if folder or (archive and "path" in archive):
            line = _place((folder or archive)["path"])
        elif vcs:
            line = f"{package['name']} @ {_at(vcs.get('url', vcs.get('path')), vcs['commit-id'], vcs)}"
        else:
            line = f"{package['name']} @ {archive['url']}" if archive else f"{package['name']}=={package['version']}"
        lines.append(f"{line}{marker} {hashes}\n")
    return "".join(lines)


def _place(path: str) -> str:
    """Return how pip is told PATH, a folder of the repository or a file."""
    path = posixpath.normpath(path)
    return path if path.startswith(".") else f"./{path}"


def _at(url: str, revision: str, package: dict[str, str]) -> str:
    """Return how pip is told the REVISION, if any, of the git repository at URL, which holds PACKAGE."""
    below = f"#subdirectory={package['subdirectory']}" if package.get("subdirectory") else ""
    return f"git+{url.removeprefix('git+')}{f'@{revision}' if revision else ''}{below}"


def _pipfile(text: str, development: bool) -> str:
    """Return what a Pipfile.lock pins as pip reads it."""
    document, lines = json.loads(text), []
    packages = (document.get("develop", {}) if development else {}) | document.get("default", {})
    for name, package in packages.items():
        extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
        marker = f" ; {package['markers']}" if package.get("markers") else ""
        hashes = " ".join(f"--hash={each}" for each in package.get("hashes", ()))
        if "path" in package:
            lines.append(f"{_place(package['path'])}{extras}{marker}\n")
        elif "git" in package:
            lines.append(f"{name}{extras} @ {_at(package['git'], package.get('ref', ''), package)}{marker}\n")
        else:
            where = f" @ {package['file']}" if "file" in package else package["version"]
            lines.append(f"{name}{extras}{where}{marker} {hashes}\n")
    return "".join(lines)


PYLOCK = "pylock.toml"
OF_SEVERAL = r"pylock\.[^./]+\.toml"  # how PEP 751 has each of several named
CONVERTED: dict[str, Reader] = {PYLOCK: _pylock, "Pipfile.lock": _pipfile}
KINDS = (*EXPORTS, *CONVERTED, "requirements.txt")


def _pyproject(text: str, _: bool) -> str:
    """Return what a pyproject.toml says that its project depends on, without what only a build would tell."""
    return "".join(f"{line}\n" for line in list[str]() + tomllib.loads(text)["project"]["dependencies"])


def _setup(text: str, _: bool) -> str:
    """Return what a setup.cfg says that its project depends on."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    if "file:" in (said := parser["options"]["install_requires"]):
        raise LookupError("file:")
    return f"{said.strip()}\n"


def _setup_program(text: str, _: bool) -> str:
    """Return what a setup.py says that its project depends on, where it says that in plain words."""
    given = (node for node in ast.walk(syntax.parsed(text)) if isinstance(node, ast.keyword))
    said = [node.value for node in given if node.arg == "install_requires"]
    return "".join(f"{line}\n" for line in list[str]() + ast.literal_eval(said[0]))


DESCRIBED: dict[str, Reader] = {PROJECT: _pyproject, "setup.cfg": _setup, "setup.py": _setup_program}
READ = CONVERTED | DESCRIBED  # all that is read here, and not by pip or a lock's tool


def export(lock: str) -> Export | None:
    """Return how the tool of LOCK prints what it pins; None where any program can read that."""
    return EXPORTS.get(posixpath.basename(lock))


def reader(lock: str) -> Reader | None:
    """Return what reads LOCK; None where pip, or the lock's tool, does."""
    return READ.get(kind(lock))


def kind(lock: str) -> str:
    """Return the name that files of the kind of LOCK usually have."""
    name = posixpath.basename(lock)
    return PYLOCK if re.fullmatch(OF_SEVERAL, name) else name


def home(lock: str, sources: Snapshot) -> str:
    """Return the folder from which LOCK, or what it is, names places: with a slash at its end, the top is empty.

    It is that of a tool's lock. pip goes by where it runs: beside a project, or at the top.
    """
    beside, *_ = folders = above(posixpath.dirname(lock))
    if export(lock) or reader(lock):
        return beside
    return next((each for each in folders if any(each + name in sources.entries for name in DESCRIBED)), "")


def above(folder: str) -> list[str]:
    """Return FOLDER and those that it is in, each with a slash at its end, the top (an empty text) last."""
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    return ["/".join((*parts[:count], "")) for count in range(len(parts), -1, -1)]


def pins(lock: str, sources: Snapshot) -> str:
    """Return all that LOCK, of any kind, pins, a line each: what serves and what only its authors install."""
    if export(lock):
        return locked(lock, sources.text(lock))
    found = said(lock, sources, development=True)
    return "\n".join((*found.lines, *(["."] if found.project is not None else []), *found.constraints))


def said(lock: str, sources: Snapshot, *, development: bool = False) -> Requirements:
    """Return what LOCK, one that has a reader or a requirements file, has pip install at the top of the repository.

    DEVELOPMENT adds what only its authors install. Raises BadInput where it is damaged.
    """
    folder = home(lock, sources)
    if not reader(lock):
        return requirements.read(lock, sources, folder)
    lines = converted(lock, sources.text(lock), development=development).splitlines()
    return requirements.of((("-r", line) for line in lines), sources, {lock: None}, folder)


def converted(name: str, text: str, *, development: bool = False) -> str:
    """Return what TEXT, of the file NAME that has a reader, pins as pip reads it.

    DEVELOPMENT adds what only its authors install. Raises BadInput where it is damaged.
    """
    try:
        return READ[kind(name)](text, development)
    except (ValueError, configparser.Error, LookupError, TypeError, AttributeError, RecursionError) as problem:
        raise BadInput(f"{name} cannot be read as a lock: {problem}", hint="have its tool write it again") from None


def locked(name: str, text: str) -> str:
    """Return each release in TEXT, the lock NAME of a kind in EXPORTS, as `name==version` on a line of its own.

    What comes from elsewhere than an index is `name @ where`. Raises BadInput where it is damaged.
    """
    rows = [row for row in _packages(name, text) if row[2] not in ("virtual", "editable")]  # the project and its parts
    return "\n".join(
        f"{found} @ {where or kind}" if kind or not version else f"{found}=={version}"
        for found, version, kind, where in rows
    )


def elsewhere(lock: str, sources: Snapshot) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return whence LOCK, of a kind in EXPORTS, has what no index has, and those files of the repository.

    The first are the words of its tool, such as `git`; the project itself is none of them.
    """
    rows = [row for row in _packages(lock, sources.text(lock)) if row[2] and row[3] != "."]
    places = {posixpath.normpath(home(lock, sources) + where) for _, _, kind, where in rows if kind in LOCAL}
    inside = [
        name for name in sources.entries if any(name == place or name.startswith(f"{place}/") for place in places)
    ]
    return frozenset(kind for _, _, kind, _ in rows), tuple(inside)


def _packages(name: str, text: str) -> list[tuple[str, str, str, str]]:
    """Return name, version, kind of origin and place of all in TEXT, the lock NAME; an index has no kind."""
    try:
        packages = tomllib.loads(text).get("package", [])
        return [(str(each["name"]), str(each.get("version", "")), *_origin(each)) for each in packages]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        raise BadInput(f"{name} cannot be read as a lock: {problem}", hint="have its tool write it again") from None


def _origin(package: dict[str, Any]) -> tuple[str, str]:
    """Return where PACKAGE comes from, in words of uv's lock (a key of `source`), Poetry's (its `type`) or PDM's."""
    source = package.get("source", package)
    if kind := source.get("type", ""):
        return ("", "") if kind in ("legacy", "pypi") else (str(kind), str(source.get("url", "")))
    return next(((key, str(source[key])) for key in ("git", "url", *LOCAL) if key in source), ("", ""))
