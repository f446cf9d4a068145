"""Which file says what an application depends on, and where in the repository that lies.

Everybody looks here, so that the image, the virtualenv of the tests and the scan go by the same file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from longshore.errors import BadInput
from longshore.settings.project import Application
from longshore.snapshot import locks
from longshore.snapshot.locks import DESCRIBED, KINDS, OF_SEVERAL, above
from longshore.snapshot.snapshot import Snapshot

FOLDER = tuple(f"requirements/{name}.txt" for name in ("production", "prod", "base", "requirements"))
ASIDE = re.compile(r"(?:docs?|tests?|examples?)/|\.")  # what lies there is not the application's
LISTS = re.compile(
    r"(?i)^(?!docs?/|tests?/)(?:.*/)?(?:(?:[^/]*requirements?[^/]*|requirements/[^/]+)\.(?:txt|in)"
    rf"|{'|'.join((*map(re.escape, KINDS), OF_SEVERAL))})$"
)
PROJECT = re.compile(r"(?m)^\[(?:project|tool\.poetry)\]|\bsetup\(")


def find(app: Application, sources: Snapshot) -> str:
    """Return the lock or requirements file of the application, what the settings name if it is there; else empty."""
    named = app.requirements
    return named if named in sources.entries else next(places((*KINDS, *FOLDER), app, sources), "")


def places(kinds: Iterable[str], app: Application, sources: Snapshot) -> Iterator[str]:
    """Yield the files of KINDS that may be the application's, the likely ones first.

    They are at the top, in the application's folder or above it, or in the only folder right below the top that has
    any, unless the top or the application's folder is a project by itself.
    """
    kinds, (*near, top) = tuple(kinds), above(app.path)
    files = sources.entries
    yield from (prefix + kind for prefix in (top, *near) for kind in kinds if prefix + kind in files)
    if any(PROJECT.search(sources.text(prefix + name)) for prefix in (top, *near) for name in DESCRIBED):
        return
    likely = (name.partition("/") for name in files if name.endswith(kinds) and not ASIDE.match(name))
    below = {f"{folder}/" for folder, _, name in likely if name in kinds}
    yield from (prefix + kind for prefix in below for kind in kinds if prefix + kind in files and len(below) == 1)


def listed(sources: Snapshot) -> list[str]:
    """Return the files, wherever they lie, that somebody may have meant."""
    return [name for name in sources.entries if LISTS.match(name)]


def described(app: Application, sources: Snapshot) -> str:
    """Return the file that says without a lock what the project depends on, without its being built; else empty."""
    for name in places(DESCRIBED, app, sources):
        with suppress(BadInput):
            if locks.converted(name, sources.text(name)):
                return name
    return ""


def required(app: Application, sources: Snapshot) -> str:
    """Return what `find` does. Raises BadInput where somebody has named a file that the sources do not have."""
    found = find(app, sources)
    if app.requirements not in (found, Application().requirements):
        sentence = f"requirements under [application] is {app.requirements}, which the sources do not have"
        raise BadInput(sentence, hint="name another, or add it to git")
    return found


def folders(app: Application, sources: Snapshot) -> list[str]:
    """Return where files lie that belong to the application's dependencies: beside them first, at the top last.

    Each has a slash at its end.
    """
    return above(posixpath.dirname(find(app, sources) or described(app, sources)))


def files(app: Application, sources: Snapshot) -> tuple[str, ...]:
    """Return the names of the files that decide what `locks.pins` returns for the application."""
    lock, included = find(app, sources), tuple[str, ...]()
    if lock and not locks.export(lock):
        with suppress(BadInput):  # the gate says what is wrong
            included = locks.said(lock, sources).files
    usual = (prefix + kind for prefix in folders(app, sources) for kind in (*KINDS, *FOLDER))
    return tuple(dict.fromkeys((app.requirements, *usual, *included)))
