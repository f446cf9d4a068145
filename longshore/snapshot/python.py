"""Which Python an application is written for: what its sources name, and what they require."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from longshore.errors import BadInput
from longshore.settings.project import Application
from longshore.snapshot.dependencies import folders
from longshore.snapshot.snapshot import Snapshot

VERSION = ".python-version"
# What names one, beside a Dockerfile: pyenv's and uv's file, of which the first line counts; Heroku's; Pipenv's;
# those of asdf and mise.
NAMING = {
    VERSION: re.compile(r"^\s*(?!#)([^\s/#]+)", re.MULTILINE),
    "runtime.txt": re.compile(r"\s*python-(\d+\.\d+)"),
    "Pipfile": re.compile(r"^\s*python_(?:full_)?version\s*=\s*[\"'](\d+\.\d+)", re.MULTILINE),
    **dict.fromkeys((".tool-versions", "mise.toml", ".mise.toml"), re.compile(r"(?m)^python[ \t=\[\"']+(\d+\.[\d.]*)")),
}
FILES = (*NAMING, "pyproject.toml", "setup.cfg")  # all that says something, with the Dockerfile
STAGE = re.compile(r"(?im)^\s*FROM\s+(?:--\S+\s+)*(\S+)")
ARGUMENT = re.compile(r"(?im)^\s*ARG\s+(\w+)=[\"']?([^\s\"']*)")
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
IMAGE = re.compile(r"(?:^|[/:])python:?(\d+\.\d+)\b")
SETUP = re.compile(r"^\s*python_requires\s*=\s*(\S.*?)\s*$", re.MULTILINE)
CLAUSE = re.compile(r"(~=|==|!=|<=|>=|[<>^~]|)\s*(\d+(?:\.(?:\d+|\*))*)")


def of(app: Application, sources: Snapshot) -> str:
    """Return the version of Python that SOURCES name; empty where they name none."""
    text = sources.text(app.dockerfile)
    first = named(app, sources, VERSION)[0] or in_dockerfile(text) or named(app, sources)[0]
    return first or ("" if text else of_image(app.base_image))


def named(app: Application, sources: Snapshot, *kinds: str) -> tuple[str, str]:
    """Return the version that a file of KINDS, or any, says, and that file; two empty texts where none does."""
    names = ((prefix + kind, kind) for prefix in folders(app, sources) for kind in kinds or NAMING)
    found = ((NAMING[kind].search(sources.text(name)), name) for name, kind in names)
    return next(((match[1], name) for match, name in found if match), ("", ""))


def in_dockerfile(text: str) -> str:
    """Return the Python of the last image of Python's in the Dockerfile TEXT, by the defaults of its arguments."""
    values: dict[str, str] = {}

    def filled(word: str) -> str:
        return VARIABLE.sub(lambda found: values.get(found[1] or found[3]) or found[2] or "", word)

    for name, value in ARGUMENT.findall(text):
        values.setdefault(name, filled(value))
    versions = [version for image in STAGE.findall(text) if (version := of_image(filled(image)))]
    return versions[-1] if versions else ""


def of_image(name: str) -> str:
    """Return the version that the image NAME is of; empty where its name does not say."""
    found = IMAGE.search(name)
    return found[1] if found else ""


def check_image(app: Application, sources: Snapshot) -> None:
    """Raise BadInput where base_image has another Python than SOURCES name or require."""
    have = of_image(app.base_image)
    version, file = named(app, sources)
    wanted = re.search(r"\d+\.\d+", version)
    other = wanted and (wanted[0] != have or version.startswith("pypy"))
    if have and wanted and (other if version[0].isalnum() else not fits(version, have)):
        hint = f'`base_image = "python:{wanted[0]}-slim"` under [application], or correct {file}'
        raise BadInput(f"{file} names Python {version}, and the image would have {have}", hint=hint)
    check(have, app, sources, '`base_image = "python:…-slim"` under [application] names another')


def check(version: str, app: Application, sources: Snapshot, hint: str) -> None:
    """Raise BadInput, with HINT, where SOURCES do not support Python VERSION; one that is no number is not known."""
    stated = (_required(prefix, sources) for prefix in folders(app, sources))
    for file, required in next(filter(None, stated), {}).items():
        if not fits(required, version):
            raise BadInput(f"{file} requires Python {required}, and this would be {version}", hint=hint)


def fits(required: str, version: str) -> bool:
    """Return whether VERSION is one of the Pythons REQUIRED, in pip's words or in Poetry's; where in doubt, it is."""
    found = re.search(r"(\d+)\.(\d+)", version)
    if not found:
        return True
    have, parts = (int(found[1][:4]), int(found[2][:4])), re.split(r"\|\|?", required)
    return any(all(_allows(how, bound, have) for how, bound in CLAUSE.findall(part)) for part in parts)


def _allows(how: str, bound: str, have: tuple[int, int]) -> bool:
    """Return whether the clause HOW BOUND, such as `<` and `3.12.5`, allows some release of HAVE."""
    parts = [int(part[:4]) for part in bound.split(".") if part.isdigit()]
    low = (parts[0], parts[1] if len(parts) > 1 else 0)
    same = have == low if len(parts) > 1 else have[0] == low[0]
    later = have[0] == low[0] and have >= low
    below = have < low or (have == low and len(parts) > 2)
    rest = {"!=": not (same and bound.endswith("*")), "~=": same if len(parts) > 2 else later, "^": later}
    return ({">=": have >= low, ">": have >= low, "<=": have <= low, "<": below} | rest).get(how, same)


def _required(prefix: str, sources: Snapshot) -> dict[str, str]:
    """Return what pyproject.toml and setup.cfg in the folder PREFIX require, by file."""
    try:
        document: dict[str, Any] = tomllib.loads(sources.text(f"{prefix}pyproject.toml"))
        project = document.get("project", {}).get("requires-python")
        poetry = document.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python")
    except (ValueError, RecursionError, AttributeError):  # who installs the project says what is wrong
        project = poetry = None
    setup = SETUP.search(sources.text(f"{prefix}setup.cfg"))
    found = {"pyproject.toml": project or poetry, "setup.cfg": setup[1] if setup else None}
    return {prefix + name: required for name, required in found.items() if isinstance(required, str)}
