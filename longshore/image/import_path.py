"""Where Python looks for an application's modules, and what it calls them then."""

from __future__ import annotations

import re

from longshore.settings.project import Application
from longshore.snapshot.snapshot import Snapshot

# What is beside an application.
BESIDE = re.compile(
    r"(?:^|/)(?:test_[^/]*|conftest|setup|celery[^/]*|worker|tests?|docs?|examples?|migrations|scripts|node_modules|site-packages|\.[^/]*)(?:/|\.py$)"
)


def roots(app: Application, sources: Snapshot, file: str) -> list[str]:
    """Return the folders, beside the project's own, that Python has to look in; FILE has the application, if known."""
    found = dict.fromkeys(("src", _root(app.path, sources), _root(file.rpartition("/")[0], sources)))
    return [each for each in found if any(name.startswith(f"{each}/") for name in sources.entries)]


def _root(folder: str, sources: Snapshot) -> str:
    """Return where Python has to look for what is in FOLDER: there or above; empty for the project's own folder."""
    while folder and _package(folder, sources):
        folder = folder.rpartition("/")[0]
    return folder


def _package(folder: str, sources: Snapshot) -> bool:
    """Return whether FOLDER is a package: what is in it, beside tests, imports from it as from one, or it says so.

    One that says so is none where its modules import each other by plain names.
    """
    parts, within = folder.split("/"), [name for name in sources.entries if name.startswith(f"{folder}/")]
    python = (name for name in within if name.endswith(".py") and not BESIDE.search(name.removeprefix(folder)))
    texts = {name: sources.text(name) for name in python}
    same = parts[-1:] * (f"{folder}/{parts[-1]}/__init__.py" in sources.entries)  # then its name is that package's
    paths = "|".join(re.escape(".".join((*parts[start:], *same))) for start in range(len(parts)))
    own = rf"(?m)^\s*(?:from|import)\s+(?:(?!(?:flask|fastapi|quart|dash)\b)(?:{paths})\b"  # a folder may be called so
    if any(re.search(rf"{own}|\.{{{name.count('/') - len(parts) + 1}}})", text) for name, text in texts.items()):
        return True
    names = {name.split("/")[len(parts)].removesuffix(".py") for name in texts} - {"__init__"}
    plain = rf"(?m)^\s*(?:from|import)\s+(?:{'|'.join(map(re.escape, names)) or '(?!)'})\b"
    return f"{folder}/__init__.py" in texts and not any(re.search(plain, text) for text in texts.values())


def module(name: str, sources: Snapshot) -> tuple[str, str]:
    """Return the folder in which Python has to look for the file NAME, and how that is imported then."""
    root = _root(name.rpartition("/")[0], sources)
    return root, name.removeprefix(f"{root}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
