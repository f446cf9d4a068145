"""What the application's own virtualenv is to hold: what its lock pins, and what its tests need besides."""

from __future__ import annotations

import re
import sys
import tomllib
from typing import Any

from msgspec import Struct

from longshore.errors import BadInput
from longshore.settings.gates import Gates, Suite
from longshore.settings.mistakes import FILE
from longshore.settings.project import Application
from longshore.snapshot import dependencies, locks, python
from longshore.snapshot.locks import PROJECT
from longshore.snapshot.snapshot import Snapshot

DESCRIBED = (PROJECT, "setup.py", "setup.cfg")
BESIDE = ("**/requirements*.txt", "requirements/*", "**/*requirements.txt")
TOOLKIT = re.compile(r"""(?im)(^|["'\s])longshore\s*(\[[^]]*\]\s*)?($|["',;<>=~!@])""")


class Wanted(Struct, frozen=True, kw_only=True):
    """What a virtualenv is to hold. `python` is empty where any will do.

    `lock` is the file that says so. With `export`, a command of what `packages` install says in `folder`, that of the
    lock, what it pins; `lines` say more, as in a requirements file, and `constraints`; `arguments` are for pip. `files`
    are all that decides it.
    """

    python: str
    lock: str
    folder: str = ""
    export: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def key(self, sources: Snapshot, *values: object) -> str:
        """Return the name (20 hex digits) of a virtualenv that holds it, made with what VALUES say."""
        return sources.hashed(self.files, self, *values)[:20]


def own(gates: Gates, suite: Suite, app: Application, sources: Snapshot) -> bool:
    """Return whether SUITE runs in the application's own virtualenv.

    Where nobody has said, it does unless nothing says what the application depends on, or its sources say that they are
    developed beside Longshore.
    """
    if gates.virtualenv is None and not said(suite):
        return bool(_described(app, sources)) and not _beside(app, sources)
    return gates.virtualenv != "ours"


def said(suite: Suite) -> bool:
    """Return whether the settings say what the virtualenv of SUITE has."""
    return bool(suite.python or suite.install or suite.groups)


def wanted(app: Application, suite: Suite, sources: Snapshot) -> Wanted:
    """Return what the virtualenv of SUITE is to hold. Raises BadInput where SOURCES lack what says so."""
    lock, file = dependencies.required(app, sources), _described(app, sources)
    kind, home = locks.export(lock), locks.home(file, sources)
    parts = _Parts(sources, home)
    if kind:
        parts.files |= dict.fromkeys((lock, f"{home}{PROJECT}", *locks.elsewhere(lock, sources)[1]))
    elif lock:
        parts.include(lock)
    elif file:
        parts.project = True
    elif not suite.install:
        sentence = "nothing says what the application depends on, so no virtualenv can be made for its tests"
        raise BadInput(sentence, hint=f"add one of {', '.join((*locks.KINDS, PROJECT))}, or `install` to its suites")
    for entry in suite.install:
        parts.install(entry)
    export: tuple[str, ...] = ()
    arguments = list(parts.arguments)
    if kind:
        groups = suite.groups if kind.group else []
        more = (*(f"{kind.group}={name}" for name in groups), *(f"{kind.extra}={name}" for name in parts.extras))
        export = (*kind.command, *kind.development, *more)
    else:
        project = f"{home}{PROJECT}"
        usual = (
            [] if lock else [name for name in _table(_project(project, sources), "dependency-groups") if name == "dev"]
        )
        groups = suite.groups or usual
        if parts.project or parts.extras:
            arguments += parts.described()
        arguments += [f"--group={f'{project}:' if home else ''}{name}" for name in groups]
        parts.files |= dict.fromkeys([project] if groups else [])
    return Wanted(
        python=suite.python or _python(app, sources),
        lock=file or FILE,
        folder=home.rstrip("/"),
        export=export,
        packages=kind.packages if kind else (),
        lines=tuple(parts.lines),
        constraints=tuple(parts.constraints),
        arguments=tuple(arguments),
        files=tuple(name for name in parts.files if name in sources.entries),
    )


class _Parts:
    """What is gathered, of SOURCES; the project itself is in the folder HOME."""

    def __init__(self, sources: Snapshot, home: str) -> None:
        self._sources, self._home = sources, home
        self.files: dict[str, None] = {}
        self.lines: list[str] = []
        self.constraints: list[str] = []
        self.arguments: list[str] = []
        self.extras: list[str] = []
        self.project = False

    def include(self, name: str) -> None:
        """Take what NAME, a requirements file or a lock, says."""
        found = locks.said(name, self._sources, development=True)
        self.lines += found.lines
        self.constraints += found.constraints
        self.files |= dict.fromkeys(found.files)
        self.project = self.project or found.project is not None
        self.extras += found.project or ()

    def install(self, entry: str) -> None:
        """Take ENTRY of a suite's `install`: a file, extras of the project, or a requirement."""
        if entry.startswith(".["):
            self.extras += [name.strip() for name in entry[2:-1].split(",") if name.strip()]
        elif entry in self._sources.entries or entry.endswith((".txt", ".in")):
            self.include(entry)
        else:
            self.arguments.append(entry)

    def described(self) -> list[str]:
        """Return what has pip install the dependencies of the project itself, with its extras."""
        names = [self._home + name for name in DESCRIBED]
        name = next((name for name in names if name in self._sources.entries), names[0])
        self.files |= dict.fromkeys(names)
        return [f"--requirement={name}", *(f"--extra={extra}" for extra in dict.fromkeys(self.extras))]


def _python(app: Application, sources: Snapshot) -> str:
    """Return the Python that SOURCES name, if any. Raises BadInput where they do not support it, or else ours."""
    found = python.of(app, sources)
    hint = '`python = "3.…"` under [gates.tests.NAME] names another for a suite, .python-version for all'
    python.check(found or "{}.{}".format(*sys.version_info), app, sources, hint)
    return found


def _described(app: Application, sources: Snapshot) -> str:
    """Return the file that says what the application depends on; empty where there is none."""
    if lock := dependencies.find(app, sources):
        return lock
    return next((name for name in dependencies.places(DESCRIBED, app, sources) if _says(name, sources)), "")


def _says(name: str, sources: Snapshot) -> bool:
    """Return whether the file NAME, of those in DESCRIBED, is about the project: it may only set up tools."""
    if name.endswith(PROJECT):
        document = _project(name, sources)
        return "project" in document or bool(_table(_table(document, "tool"), "poetry"))
    return not name.endswith("setup.cfg") or bool(re.search(r"(?m)^\[(metadata|options)\]", sources.text(name)))


def _table(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _project(name: str, sources: Snapshot) -> dict[str, Any]:
    try:
        return tomllib.loads(sources.text(name))
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"{name} cannot be read: {problem}", hint="correct that line") from None


def _beside(app: Application, sources: Snapshot) -> bool:
    """Return whether the sources hold Longshore, or pin it: then who develops them installs both together."""
    if "longshore/__init__.py" in sources.entries:
        return True
    names = (*BESIDE, *(home + name for home in dependencies.folders(app, sources) for name in (*locks.KINDS, PROJECT)))
    return any(TOOLKIT.search(sources.text(name)) for name in sources.match(names))
