"""Makes the application's own virtualenvs with uv, once for what they hold: all checkouts and runs share them."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from longshore.commands import uv
from longshore.errors import Failure, GateFailed, Precondition, ToolMissing
from longshore.files import from_json, locked, write_atomically
from longshore.gates.wanted import Wanted
from longshore.graph.inputs import version
from longshore.graph.steps import Progress
from longshore.process.command import Command, Secret
from longshore.process.runner import Result, Runner
from longshore.settings import pip
from longshore.settings.host import Host
from longshore.settings.model import Settings
from longshore.snapshot.snapshot import Snapshot

FORMAT = 1  # another one, and all are made anew
UNUSED = 7 * 86400.0  # seconds after which one that no run has used is removed
MADE = "longshore.json"  # written when all is installed: without it, a virtualenv is none
RUNS = ("pytest", "pytest-cov")  # what runs the tests, and says what they reach
UNREACHABLE = re.compile(r"Failed to fetch|error sending request|network connectivity is disabled")
PIN = re.compile(r"([A-Za-z0-9][\w.-]*)==\S+\Z", re.ASCII)


class Virtualenv(Struct, frozen=True, kw_only=True):
    """One that is ready, in FOLDER. `note` says in words what it has."""

    folder: Path
    note: str

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def variables(self, path: str) -> dict[str, str]:
        """Return what the shell has where it is active; PATH before that."""
        return {"VIRTUAL_ENV": str(self.folder), "PATH": f"{self.folder / 'bin'}{os.pathsep}{path}"}


class Virtualenvs:
    """Those of one user, below the cache folder of SETTINGS. SOURCES are what says what they hold."""

    def __init__(self, settings: Settings, runner: Runner, sources: Snapshot) -> None:
        self._runner, self._sources, self._host = runner, sources, settings.host
        self._root = settings.cache / "virtualenvs"
        beside = Path(sys.executable).parent / "uv"
        self._uv = str(beside) if beside.exists() else "uv"

    def key(self, wanted: Wanted) -> str:
        """Return what tells the virtualenv of WANTED from all others."""
        return wanted.key(
            self._sources, FORMAT, *map(version, ("uv", *RUNS)), "" if wanted.python else version("python")
        )

    def ready(self, wanted: Wanted, suite: str, progress: Progress) -> Virtualenv:
        """Return the virtualenv of WANTED, for SUITE, and make it where there is none.

        Raises Precondition where its Python or the package index cannot be had, GateFailed where what is pinned cannot
        be installed.
        """
        folder = self._root / self.key(wanted)
        if found := _found(folder):
            return found

        def wait(seconds: float) -> None:
            progress("waiting for another run that makes the same virtualenv")
            self._runner.cancellation.wait(seconds)

        with locked(folder.with_suffix(".lock"), wait):
            if found := _found(folder):
                return found
            shutil.rmtree(folder, ignore_errors=True)
            try:
                note = self._make(folder, wanted, suite, progress)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            write_atomically(folder / MADE, json.dumps({"note": note}) + "\n")
        prune(self._root, time.time() - UNUSED)
        return Virtualenv(folder=folder, note=note)

    def _make(self, folder: Path, wanted: Wanted, suite: str, progress: Progress) -> str:
        """Make the virtualenv in FOLDER; return what it has, in words."""
        progress(f"the application's virtualenv: {wanted.lock}")
        command = uv.virtualenv(self._uv, folder, wanted.python or sys.executable, env=self._env)
        if (ended := self._run(command, progress)).exit_code:
            hint = f'install it, or name another: `python = "3.12"` under [gates.tests.{suite}]'
            python = wanted.python or "of Longshore's version"
            raise Precondition(f"uv has no Python {python} here, and cannot get it", hint=hint, detail=ended.tail)
        files = {"requirements": self._lines(wanted, progress), "constraints": wanted.constraints}
        for name, lines in files.items():
            text = "".join(f"{found_in(line, self._sources.workspace())}\n" for line in lines)
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        asked = asking(files["requirements"], self._runner.environ)
        words = [f"--requirement={folder / 'requirements.txt'}", *wanted.arguments, *asked]
        constraints = [f"--constraint={folder / 'constraints.txt'}"] if wanted.constraints else []
        self._install(folder, [*words, *constraints], f"what {wanted.lock} pins", suite, progress)
        return self._with_pytest(folder, wanted, suite, progress)

    def _lines(self, wanted: Wanted, progress: Progress) -> tuple[str, ...]:
        """Return what is to be installed, as lines of a requirements file."""
        if not wanted.export:
            return wanted.lines
        with tempfile.TemporaryDirectory(prefix="longshore-") as place:
            for name in wanted.files:
                path = Path(place, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._sources.read(name))
            kind, cwd = wanted.packages, Path(place, wanted.folder)
            ended = self._run(uv.export(self._uv, kind, wanted.export, cwd=cwd, env=self._env), progress)
        if ended.exit_code:
            raise self._failure(ended, f"{wanted.export[0]} does not say what {wanted.lock} pins")
        return (*anchored(ended.stdout, Path(place), self._sources.workspace(), wanted.folder), *wanted.lines)

    def _with_pytest(self, folder: Path, wanted: Wanted, suite: str, progress: Progress) -> str:
        """Install what runs the tests where the lock has it not, and leave what that pins; return what there is."""
        python = folder / "bin" / "python"
        pins = [line for line in self._freeze(python) if PIN.match(line)]
        names = {line.partition("==")[0].lower().replace("_", "-") for line in pins}
        missing = [f"{name}<={version(name)}" for name in RUNS if name not in names]
        added = ""
        if missing:
            (folder / "installed.txt").write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
            words = [*missing, f"--constraint={folder / 'installed.txt'}"]
            self._install(folder, words, f"pytest beside what {wanted.lock} pins", suite, progress)
            new = [line.replace("==", " ") for line in self._freeze(python) if line.startswith(tuple(RUNS))]
            added = f" and {', '.join(pin for pin in new if pin.partition(' ')[0] not in names)}"
        release = re.search(r"(?m)^version_info = ([\d.]+)", (folder / "pyvenv.cfg").read_text(encoding="utf-8"))
        return f"Python {release[1] if release else wanted.python} with {wanted.lock}{added}"

    def _freeze(self, python: Path) -> list[str]:
        return self._runner.run(uv.installed(self._uv, python)).stdout.splitlines()

    def _install(self, folder: Path, words: list[str], what: str, suite: str, progress: Progress) -> None:
        where = self._sources.workspace()
        command = uv.install(self._uv, folder / "bin" / "python", *words, cwd=where, env=self._env)
        if (ended := self._run(command, progress)).exit_code:
            raise self._failure(ended, f"{what} cannot be installed for the tests of {suite}")

    def _failure(self, ended: Result, sentence: str) -> Failure:
        """Return what to raise where uv or a lock's tool has ENDED: SENTENCE, or that the index is not there."""
        if UNREACHABLE.search(ended.tail):
            hint = (
                "`UV_DEFAULT_INDEX`, or pip's settings, name the index; `UV_HTTP_TIMEOUT` says how long to wait for it"
            )
            return Precondition(f"{sentence}: the package index does not answer", hint=hint, detail=ended.tail)
        hint = "correct the lock with its tool, or name another Python for the suite"
        return GateFailed(sentence, hint=hint, detail=ended.tail)

    def _run(self, command: Command, progress: Progress) -> Result:
        def show(line: str) -> None:
            progress(f"the application's virtualenv: {line.strip()}")

        try:
            return self._runner.run(command, on_line=show, check=False)
        except ToolMissing:
            raise ToolMissing("uv is not installed: it makes the application's virtualenv", hint=UV) from None

    @cached_property
    def _env(self) -> dict[str, str | Secret]:
        """Variables that have uv find all Pythons, and packages where pip's settings say so and uv's do not."""
        environ = self._runner.environ
        quick = {name: value for name, value in uv.QUICK.items() if name not in environ}
        return {"PATH": pythons(self._host), **quick, **pip.for_uv(pip.options(self._host), environ)}


def asking(lines: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Return what has uv take the best release of all indexes, as pip does, if LINES name another and nobody has said.

    Else it takes what the first has that knows the name; one of CPU builds, for instance, knows old releases of much.
    """
    another = any(line.startswith("--extra-index-url") for line in lines) and "UV_INDEX_STRATEGY" not in environ
    return ["--index-strategy=unsafe-best-match"] if another else []


def found_in(line: str, workspace: Path) -> str:
    """Return LINE of a requirements file with a folder of wheels where it is in WORKSPACE: uv looks beside the file."""
    return re.sub(r"^--find-links \./", f"--find-links {workspace.as_posix()}/", line)


def anchored(exported: str, place: Path, workspace: Path, folder: str = "") -> list[str]:
    """Return the lines that were EXPORTED in FOLDER below PLACE, with what they have in the repository in WORKSPACE.

    It is installed as it is now, and not linked: the workspace is of this run, and the virtualenv of many.
    """

    def from_the_top(named: re.Match[str]) -> str:
        return f"./{posixpath.normpath(posixpath.join(folder, named[1]))}"

    here = exported.replace(place.as_uri(), workspace.as_uri())
    return re.sub(r"(?m)^(?:-e )?(\.\S*)", from_the_top, here).splitlines()


UV = '`pip install uv`; or `virtualenv = "ours"` under [gates] tests in Longshore\'s own'


def _found(folder: Path) -> Virtualenv | None:
    """Return the virtualenv in FOLDER if it is whole, and note that it is used. Its Python may be gone by now."""
    try:
        note = str(from_json((folder / MADE).read_bytes())["note"])
        if not (folder / "bin" / "python").exists():
            return None
        os.utime(folder / MADE)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Virtualenv(folder=folder, note=note)


def prune(root: Path, before: float) -> None:
    """Remove the virtualenvs in ROOT that nobody has used since BEFORE (seconds since 1970)."""
    for folder in root.iterdir():
        with suppress(OSError):
            if folder.is_dir() and (folder / MADE).stat().st_mtime < before:
                (folder / MADE).unlink()
                shutil.rmtree(folder, ignore_errors=True)


def pythons(host: Host) -> str:
    """Return a PATH on which uv finds every Python: pyenv's shims run but the one that is chosen for this folder."""
    folders: list[str] = []
    for folder in host.path.split(os.pathsep):
        versions = Path(folder).parent / "versions"
        found = sorted(versions.glob("*/bin")) if folder.endswith("shims") else []
        folders += [str(path) for path in found] or [folder]
    return os.pathsep.join(folders)
