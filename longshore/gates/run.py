"""Runs the tools behind the gates in the run's workspace, and has their reports read."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from longshore.commands import checks
from longshore.errors import BadInput, GateFailed, ending
from longshore.files import private_folder, write_atomically
from longshore.gates import above, credentials, defaults, reports, services, suites, wanted
from longshore.gates.virtualenv import Virtualenv, Virtualenvs
from longshore.gates.wanted import Wanted
from longshore.graph.steps import Progress, Result
from longshore.pipeline import files
from longshore.process.command import Command
from longshore.process.runner import Result as Ended
from longshore.process.runner import Runner
from longshore.settings import mistakes
from longshore.settings.gates import Suite
from longshore.settings.model import Settings
from longshore.settings.project import Application
from longshore.snapshot import dependencies, locks, python
from longshore.snapshot.snapshot import Snapshot

YAML = ("k8s", ".github", ".gitlab-ci.yml", ".pre-commit-config.yaml")
TYPES = ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg")
MYPY = re.compile(r"(?ms)^\[(tool\.)?mypy\].*?(?=^\[|\Z)")
NAMED = re.compile(r"(?m)^(files|packages|modules)\s*=")


class Gates:
    """The gates of one project. SOURCES returns the run's snapshot."""

    def __init__(self, settings: Settings, runner: Runner, sources: Callable[[], Snapshot]) -> None:
        self.settings, self.runner, self._sources = settings, runner, sources
        self.report = settings.work / "report"
        self.python = sys.executable

    @property
    def folder(self) -> Path:
        """The workspace: the snapshot's files, and the tools' caches."""
        return self._sources().workspace()

    @property
    def suites(self) -> dict[str, Suite]:
        """The suites of unit tests by name, with the paths of their tests."""
        return suites.located(self.settings.gates, self._sources())

    def suite(self, name: str, progress: Progress) -> Result:
        """Run the suite of unit tests called NAME."""
        suite, left_out = self.suites[name], suites.left_out(self.suites, name)
        for path in suite.paths:
            self._require(path.partition("::")[0], f"paths under [gates.tests.{name}] names", "test")
        virtualenv = self.virtualenv(name, progress)
        junit, coverage = self._fresh(f"junit-{name}.xml"), self._fresh(f"coverage-{name}.xml")
        with services.beside(name, suite, self.runner, self.folder) as variables:
            command = checks.pytest(
                virtualenv.python if virtualenv else self.python,
                self.report,
                name,
                suite.paths,
                leave_out=left_out,
                configured=above.left_out(self.folder, suite.paths),
                covers=suite.covers,
                takes=suite.env,
                env=self._active(virtualenv) | variables,
            )
            ended = self._run(command, junit, coverage, on_line=lambda line: progress(line.strip()))
        if not (text := _read(junit)):
            hint = f"the full output is in {ended.log}"
            raise GateFailed("the tests left no report", detail=ended.tail, hint=hint)
        if coverage.exists():  # GitLab looks for the files below the project's root
            write_atomically(
                coverage, coverage.read_text(encoding="utf-8").replace(str(self.folder), str(self.settings.root))
            )
        note = _clean("pytest", ended, reports.tests(text) + reports.covered(_read(coverage)))
        return Result(note=f"{note}; {virtualenv.note}" if virtualenv else note)

    def own(self, name: str) -> bool:
        """Return whether the suite called NAME runs in the application's own virtualenv."""
        gates = self.settings.gates
        return wanted.own(gates, gates.tests[name], self.settings.application, self._sources())

    def wanted(self, name: str) -> Wanted:
        """Return what that virtualenv is to hold."""
        return wanted.wanted(self.settings.application, self.settings.gates.tests[name], self._sources())

    def identity(self, name: str) -> str:
        """Return what tells that virtualenv from all others."""
        return self._virtualenvs.key(self.wanted(name))

    def virtualenv(self, name: str, progress: Progress) -> Virtualenv | None:
        """Return the virtualenv that the suite called NAME runs in; None for Longshore's own."""
        return self._virtualenvs.ready(self.wanted(name), name, progress) if self.own(name) else None

    @property
    def _virtualenvs(self) -> Virtualenvs:
        return Virtualenvs(self.settings, self.runner, self._sources())

    def _active(self, virtualenv: Virtualenv | None) -> dict[str, str]:
        """Return the variables of a shell in which VIRTUALENV is active.

        What lies below src/ can be imported, and what lies beside the application or its lock if that is no package.
        """
        if virtualenv is None:
            return {}
        app, sources = self.settings.application, self._sources()
        tops = [self.folder / top for top in (app.path, *dependencies.folders(app, sources)[:-1])]
        below = (each for top in tops if not (top / "__init__.py").exists() for each in (top / "src", top))
        paths = [str(each) for each in dict.fromkeys((self.folder / "src", *below)) if each.is_dir()]
        source = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
        return virtualenv.variables(self.settings.host.path) | source

    def ruff(self) -> str:
        """Look for mistakes in all Python."""
        report, config = self._fresh("code-quality.json"), defaults.ruff(self._sources())
        above.bar_ruff(self._sources())
        ended = self._run(checks.ruff(self.python, report, config), report)
        listed = self._run(checks.ruff_files(self.python, config)).stdout
        return _clean("ruff", ended, reports.ruff(_read(report), listed))

    def layout(self) -> str:
        """Compare the layout of all Python with the formatter's, where the project configures that."""
        if defaults.ruff(self._sources()):
            return "none: nothing configures ruff"
        above.bar_ruff(self._sources())
        ended = self._run(checks.ruff_format(self.python))
        return _clean("ruff", ended, reports.layout(ended.stdout + ended.tail))

    def types(self, progress: Progress) -> Result:
        """Check the types of what mypy's configuration names, else of the application.

        What that imports is what the first suite of tests has installed.
        """
        texts = [_read(self.folder / name) for name in TYPES]
        tables = [found[0] for text in texts for found in MYPY.finditer(text)]
        if not tables:
            return Result(note="none: nothing configures mypy")
        paths = () if any(NAMED.search(table) for table in tables) else (self.settings.application.path,)
        suite = next(iter(self.settings.gates.tests), "")
        virtualenv = self.virtualenv(suite, progress) if suite else None
        ended = self._run(checks.mypy(self.python, *paths, installed=virtualenv.python if virtualenv else ""))
        note = _clean("mypy", ended, reports.types(ended.stdout))
        return Result(note=f"{note}; {virtualenv.note}" if virtualenv else note)

    def yaml(self) -> str:
        """Check the form of the YAML that people write."""
        paths = [path for path in YAML if (self.folder / path).exists()]
        if not paths:
            return "none"
        config = defaults.yamllint(self._sources())
        listed = self._run(checks.yaml_files(self.python, *paths, config=config)).stdout
        ended = self._run(checks.yamllint(self.python, *paths, config=config))
        return _clean("yamllint", ended, reports.yaml(ended.stdout, listed))

    def dockerfile(self) -> str:
        """Check the Dockerfile, where the project has one."""
        if not (self.folder / self.settings.application.dockerfile).exists():
            return "none: Longshore makes it"
        config = defaults.hadolint(self._sources())
        ended = self._run(checks.hadolint(self.python, self.settings.application.dockerfile, config))
        return _clean("hadolint", ended, reports.dockerfile(ended.stdout))

    def pipeline(self) -> str:
        """Compare the pipelines' files with those that the settings give."""
        if text := files.difference(self.settings, self.folder):
            sentence = "the pipelines' files are not those that longshore.toml gives"
            raise GateFailed(sentence, detail=text, hint="`invoke ci.generate` writes them")
        return f"{len(self.settings.pipeline.providers)} files as generated"

    def bandit(self) -> str:
        """Look for insecure code in what is deployed and in what deploys it."""
        report = self._fresh("bandit.json")
        top = self.settings.application.path
        deployed = (top,) if top == "." else (top, "longshore", "localcloud")
        paths = [path for path in deployed if (self.folder / path).is_dir()]
        if not paths:
            self._require(top, "path under [application] is", "scan")
        configured = (self.folder / "pyproject.toml").exists()
        self._run(checks.bandit(self.python, report, *paths, configured=configured), report)
        return reports.bandit(_read(report))

    def secrets(self) -> str:
        """Look for credentials in all files."""
        return credentials.scan(self._sources(), self.settings.work, self.python, self._run)

    def dependencies(self) -> Result:
        """Ask the package index and the advisory service about what the lock pins.

        What could not be asked is said, and fails the gate where the settings require it.
        """
        app, sources = self.settings.application, self._sources()
        if app.requirements != Application().requirements:  # somebody has named it
            self._require(app.requirements, "requirements under [application] is", "scan")
        lock = dependencies.find(app, sources)
        examined, unchecked = self._ask(lock, locks.pins(lock, sources)) if lock else ("", _unknown(sources))
        if unchecked and self.settings.gates.dependencies == "required":
            hint = '`dependencies = "when-reachable"` lets this pass'
            raise GateFailed(f"dependencies were not checked: {unchecked}", hint=hint)
        return Result(note=f"NOT CHECKED: {unchecked}", partial=True) if unchecked else Result(note=examined)

    def _ask(self, lock: str, pins: str) -> tuple[str, str]:
        """Return what the index and the advisory service were asked about, and what they could not be asked about."""
        releases, unknown = reports.pinned(pins)
        unanswered = dict[str, None]()
        if unknown:
            lines = f"{len(unknown)} {'line pins' if len(unknown) == 1 else 'lines pin'}"
            unanswered[f"{lines} no release of an index: {', '.join(unknown[:3])}"] = None
        if not releases:
            unanswered[f"{lock} pins no release"] = None
        named = python.of(self.settings.application, self._sources())
        other = "" if sys.version.startswith(named) else named
        for part in reports.parts(releases):
            command = checks.withdrawn(self.python, part, other)
            _, silent = reports.withdrawn(self._run(command).stdout)
            report = self._fresh("dependencies.json")
            with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
                pinned = Path(folder) / "pins.txt"
                pinned.write_text("".join(f"{release}\n" for release in part), encoding="utf-8")
                self._run(checks.audit(self.python, str(pinned), report), report)
            _, unaudited = reports.advisories(_read(report))
            unanswered |= dict.fromkeys(text for text in (silent, unaudited) if text)
        return f"{len(releases)} releases of {lock}", "; ".join(unanswered)

    def _require(self, name: str, said: str, group: str) -> Path:
        """Return where the file or folder NAME is. Raises BadInput where the sources have none, though it is SAID."""
        if not (self.folder / name).exists():
            stead = f'`run = ["…"]` or `off = "reason"` under [gates.{group}] stands in its place'
            hint = f"name another, or add it to git; {stead}"
            raise BadInput(f"{mistakes.FILE}: {said} {name}, which the sources do not have", hint=hint)
        return self.folder / name

    def _run(self, command: Command, *written: Path, on_line: Callable[[str], None] | None = None) -> Ended:
        """Run COMMAND in the workspace; what it has WRITTEN is redacted like its output."""
        ended = self.runner.run(replace(command, cwd=self.folder), on_line=on_line, check=False)
        for report in filter(Path.exists, written):
            self.runner.redactor.file(report)
        return ended

    def _fresh(self, name: str) -> Path:
        """Return where the report called NAME is to be written; one of an earlier run is no evidence."""
        private_folder(self.report)
        path = self.report / name
        path.unlink(missing_ok=True)
        return path


def _clean(tool: str, ended: Ended, note: str) -> str:
    """Return NOTE, what a clean report says. Raises GateFailed where TOOL failed nevertheless."""
    if ended.exit_code:
        raise GateFailed(
            f"{tool} {ending(ended.exit_code)}, though its report names no problem",
            detail=ended.tail,
            hint=f"the full output is in {ended.log}" if ended.log else "",
        )
    return note


def _unknown(sources: Snapshot) -> str:
    """Return why it is not known which lock is the application's."""
    listed = " or ".join(dependencies.listed(sources)[:3])
    return (
        f"only `requirements` under [application] can say whether it is {listed}"
        if listed
        else "the sources have no lock"
    )


def _read(report: Path) -> str:
    return report.read_text(encoding="utf-8") if report.exists() else ""
