"""The gates as steps: each runs its tools and opens when their reports say what was examined and that it was clean."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from longshore.command import Command
from longshore.commands import checks
from longshore.errors import GateFailed
from longshore.runner import Runner
from longshore.settings import Settings, Suite
from longshore.steps import evidence, fingerprint
from longshore.steps.graph import Progress, Step
from longshore.steps.memory import Memory

SOURCES = ("*.py", "pyproject.toml", "requirements", "application", "longshore")
READS = {
    "lint": (*SOURCES, "tests", "benchmarks", "k8s", "*.yml", "*.yaml", ".*.yml", ".*.yaml", "Dockerfile"),
    "scan": (
        "*",
        ".*",
        "application",
        "longshore",
        "tests",
        "k8s",
        "terraform",
        "docs",
        "requirements",
        "monitoring",
        ".ci",
    ),
}
YAML = ("k8s", ".gitlab-ci.yml", ".pre-commit-config.yaml", "monitoring")
HASHES = (
    "requirements/",
    "terraform/.terraform.lock.hcl",
    "tests/data/",
)  # locks, and recorded reports: full of what looks like keys
DAY = 86400.0  # seconds for which what the package index said is believed


def steps(settings: Settings, runner: Runner) -> tuple[Step, ...]:
    """Return lint, test and scan; each runs again when what it reads, or its Python, has changed."""
    gates = Gates(settings, runner)
    titles = {
        "lint": "check form and types",
        "test": "run the unit tests",
        "scan": "look for insecure code and secrets",
    }
    works = {"lint": gates.lint, "test": gates.test, "scan": gates.scan}

    suites = settings.gates.tests.values()
    reads = READS | {"test": tuple(path for suite in suites for path in suite.reads)}

    def mark(name: str) -> Callable[[], str]:
        return lambda: fingerprint.of(settings.root, reads[name], sys.version)

    return tuple(
        Step(name=name, title=titles[name], run=work, fingerprint=mark(name)) for name, work in works.items()
    )


class Gates:
    """The gates of one project."""

    def __init__(self, settings: Settings, runner: Runner) -> None:
        self.settings, self.runner = settings, runner
        self.report = settings.work / "report"
        self.python = sys.executable

    def lint(self, progress: Progress) -> str:
        """Run Ruff, its formatter, mypy, yamllint and hadolint, as many at once as there are cores."""
        self.report.mkdir(parents=True, exist_ok=True)
        said = self._together(progress, [self._types, self._ruff, self._layout, self._yaml, self._dockerfile])
        return ", ".join(said)

    def test(self, progress: Progress) -> str:
        """Run the suites of unit tests whose inputs have changed since they last passed."""
        self.report.mkdir(parents=True, exist_ok=True)
        memory = Memory(self.settings.work / "cache")
        said = []
        for name, suite in self.settings.gates.tests.items():
            mark = fingerprint.of(self.settings.root, suite.reads, suite.paths, sys.version)
            if memory.get(f"test-{name}").get("fingerprint") == mark:
                said.append(f"{name} unchanged")
                continue
            said.append(f"{name} {self._suite(name, suite, progress)}")
            memory.put(f"test-{name}", fingerprint=mark)
        return ", ".join(said)

    def _suite(self, name: str, suite: Suite, progress: Progress) -> str:
        junit = self.report / f"junit-{name}.xml"
        junit.unlink(missing_ok=True)  # the report of an earlier run is no evidence
        others = [
            path for one in self.settings.gates.tests.values() if one is not suite for path in one.paths
        ]
        result = self.runner.run(
            checks.pytest(self.python, self.report, name, suite.paths, leave_out=_below(suite.paths, others)),
            on_line=lambda line: progress(f"{name}: {line.strip()}"),
            check=False,
        )
        text = junit.read_text() if junit.exists() else ""
        if not text:
            raise GateFailed(
                "the tests left no report", detail=result.tail, hint=f"their whole output is in {result.log}"
            )
        return evidence.tests(text)

    def scan(self, progress: Progress) -> str:
        """Run bandit, the search for secrets and the questions about dependencies."""
        self.report.mkdir(parents=True, exist_ok=True)
        return ", ".join(self._together(progress, [self._bandit, self._secrets, self._dependencies]))

    def _together(self, progress: Progress, works: Iterable[Callable[[Progress], str]]) -> list[str]:
        with ThreadPoolExecutor(max_workers=2) as pool:
            return [done.result() for done in [pool.submit(work, progress) for work in works]]

    def _ruff(self, progress: Progress) -> str:
        progress("ruff")
        report = self.report / "code-quality.json"
        report.unlink(missing_ok=True)
        self.runner.run(checks.ruff(self.python, report), check=False)
        listed = self.runner.run(checks.ruff_files(self.python)).stdout
        return f"ruff {evidence.ruff(_read(report), listed)}"

    def _layout(self, progress: Progress) -> str:
        progress("ruff format")
        return f"layout {evidence.layout(_output(self.runner, checks.ruff_format(self.python)))}"

    def _types(self, progress: Progress) -> str:
        progress("mypy")
        return f"types {evidence.types(self.runner.run(checks.mypy(self.python), check=False).stdout)}"

    def _yaml(self, progress: Progress) -> str:
        progress("yamllint")
        paths = [path for path in YAML if (self.settings.root / path).exists()]
        listed = self.runner.run(checks.yaml_files(self.python, *paths)).stdout
        output = self.runner.run(checks.yamllint(self.python, *paths), check=False).stdout
        return f"YAML {evidence.yaml(output, listed)}"

    def _dockerfile(self, progress: Progress) -> str:
        progress("hadolint")
        output = self.runner.run(
            checks.hadolint(self.python, self.settings.application.dockerfile), check=False
        ).stdout
        return f"Dockerfile {evidence.dockerfile(output)}"

    def _bandit(self, progress: Progress) -> str:
        progress("bandit")
        report = self.report / "bandit.json"
        report.unlink(missing_ok=True)
        self.runner.run(
            checks.bandit(self.python, report, self.settings.application.path, "longshore"), check=False
        )
        return f"bandit {evidence.bandit(_read(report))}"

    def _secrets(self, progress: Progress) -> str:
        progress("looking for secrets")
        root = self.settings.root
        listed = self.runner.run(checks.tracked_files()).stdout.split("\0")
        files = [name for name in listed if name and (root / name).is_file() and not name.startswith(HASHES)]
        with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
            planted = Path(folder) / "planted.txt"
            planted.write_text(
                "aws_access_key_id = AKIA" + "QYLPMN5HHHFPZAM2\n"
            )  # the scanner has to find this one
            output = self.runner.run(checks.secrets(self.python, *files, str(planted)), check=False).stdout
        return f"secrets {evidence.secrets(output, str(planted), len(files))}"

    def _dependencies(self, progress: Progress) -> str:
        """Ask the package index and the advisory service; what could not be asked is said, and fails where the settings want it to."""
        progress("asking about dependencies")
        lock = (self.settings.root / self.settings.application.requirements).read_text()
        memory = Memory(self.settings.work / "cache")
        mark = hashlib.sha256(lock.encode()).hexdigest()
        known = memory.get("dependencies")
        if known.get("lock") != mark or time.time() - float(known.get("asked", 0)) > DAY:
            known = {"lock": mark, "asked": time.time(), **self._ask(lock)}
        if unchecked := known["unchecked"]:
            if self.settings.gates.dependencies == "required":
                raise GateFailed(
                    f"dependencies were not checked: {unchecked}",
                    hint='`dependencies = "when-reachable"` lets this pass',
                )
            return f"dependencies NOT CHECKED: {unchecked}"
        memory.put("dependencies", **known)
        return f"dependencies {known['examined']}"

    def _ask(self, lock: str) -> dict[str, object]:
        """Ask the index what was withdrawn, and the advisory service what is known to be vulnerable."""
        releases = evidence.pinned(lock)
        asked, unanswered = evidence.withdrawn(
            self.runner.run(checks.withdrawn(self.python, releases), check=False).stdout
        )
        report = self.report / "dependencies.json"
        report.unlink(missing_ok=True)
        self.runner.run(
            checks.audit(self.python, self.settings.application.requirements, report), check=False
        )
        _, unaudited = evidence.advisories(_read(report))
        return {"examined": asked, "unchecked": "; ".join(text for text in (unanswered, unaudited) if text)}


def _below(paths: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return those of OTHERS that lie below one of PATHS: another suite runs them."""
    return [other for other in others if any(other.startswith(f"{path}/") for path in paths)]


def _read(report: Path) -> str:
    return report.read_text() if report.exists() else ""


def _output(runner: Runner, command: Command) -> str:
    result = runner.run(command, check=False)
    return result.stdout + result.tail
