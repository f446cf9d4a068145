"""The only reader of longshore.toml and of the process's environment variables.

`load` is a function of a folder and a mapping, so a test passes a dict.
"""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from longshore.errors import BadInput
from longshore.settings import canary, cron, mistakes, overrides
from longshore.settings.credentials import KEYS, TOKENS, Credentials, Variables, of_shell
from longshore.settings.environments import EnvironmentTable
from longshore.settings.gates import GROUPS, Gates, Own, Results, UsualTests
from longshore.settings.host import Host
from longshore.settings.job import Job
from longshore.settings.mistakes import FILE
from longshore.settings.model import Environment, LocalEnvironment, Settings
from longshore.settings.pipeline import Pipeline
from longshore.settings.project import Application, Project
from longshore.settings.values import EnvironmentName, StepName
from longshore.settings.workloads import WorkloadName, WorkloadTable, mistake, sized

DECIDED = {"project", "environment", "region"}  # Terraform's names for what Longshore itself acts by
DECIDED_HINT = "`name` under [project], the environment's own name, and its `region` decide"


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of longshore.toml."""

    project: Project
    environments: Annotated[
        dict[EnvironmentName, EnvironmentTable], Meta(min_length=1, description="tables [environments.NAME]")
    ]
    application: Application = Application()
    gates: Gates = Gates()
    steps: dict[StepName, Own] = {}
    cache: Results = Results()
    pipeline: Pipeline = Pipeline()
    workloads: dict[WorkloadName, WorkloadTable] = {}


def process_environment() -> dict[str, str]:
    """Return the environment variables of this process."""
    return dict(os.environ)


def load(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read ROOT/longshore.toml and the overrides in ENVIRON. Raises BadInput, with file and line, for any mistake."""
    text = read(root)
    _check_encoding(environ)
    data, variables = _values(text, environ)
    document: Document = mistakes.convert(data, Document, text, variables)
    host, found = Host.read(environ), of_shell(environ)
    environments = {}
    for name, table in document.environments.items():
        local = table.local
        if local and local.context and not (local.registry and local.node_address):
            where = mistakes.where(text, ("environments", name, "local", "context"), variables)
            hint = "registry: where that cluster pulls images from; node_address: where its NodePorts answer"
            raise BadInput(f"{where} needs `registry` and `node_address` as well", hint=hint)
        for key, value in table.variables.items():
            _check_variable(key, value, mistakes.where(text, ("environments", name, "variables", key), variables))
        _check_canary(table, mistakes.where(text, ("environments", name, "canary"), variables))
        environments[name] = _resolve(name, table, document.project.name, root, host, found)
    if document.cache.remote and not document.cache.account:
        where = mistakes.where(text, ("cache", "remote"), variables)
        hint = 'add `account = "…"` under [cache]: the number of the account that owns the bucket'
        raise BadInput(f"{where} needs `account` as well", hint=hint)
    if document.application.expand_files and document.application.contract != "injected":
        where = mistakes.where(text, ("application", "expand_files"), variables)
        hint = 'the module of `contract = "injected"` does that; another application reads the files'
        raise BadInput(f'{where} needs the contract "injected"', hint=hint)
    _check_gates(document, data, text)
    if wrong := mistake(document.workloads):
        raise BadInput(f"{mistakes.where(text, ('workloads', *wrong[0]), variables)} {wrong[1]}", hint=wrong[2])
    for name, table in document.environments.items():
        _check_sizes(document, ("environments", name, "workloads"), table, text, variables)
    if never := cron.mistake(document.pipeline.drift):
        raise BadInput(f"{mistakes.where(text, ('pipeline', 'drift'), variables)} {never[0]}", hint=never[1])
    _check_review(document, text)
    for key in ("environments", "providers"):
        names: tuple[str, ...] = getattr(document.pipeline, key)
        if twice := [name for name in names if names.count(name) > 1]:
            where = mistakes.where(text, ("pipeline", key), variables)
            raise BadInput(f"{where} names {twice[0]} twice", hint="once is enough")
    return Settings(
        root=root,
        cache=host.cache / "longshore",
        project=document.project,
        application=document.application,
        gates=_gates(document),
        environments=environments,
        steps=document.steps,
        results=document.cache,
        pipeline=document.pipeline,
        workloads=document.workloads,
        host=host,
        credentials=found,
        job=Job.read(environ),
        overrides={variable: ".".join(path) for variable, path in sorted(variables.items())},
    )


def _values(text: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, mistakes.Keys]]:
    """Return what TEXT and the overrides in ENVIRON say, and which variable sets what. Raises BadInput."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"{FILE} is not valid TOML: {problem}", hint="text needs quotes") from None
    variables = overrides.apply(data, environ)
    if spoilt := next(_spoilt(data), None):
        hint = "no file, argument or variable can hold one"
        raise BadInput(f"{mistakes.where(text, spoilt, variables)} has a NUL byte", hint=hint)
    return data, variables


def _spoilt(value: Any, path: mistakes.Keys = ()) -> Iterator[mistakes.Keys]:
    """Yield the paths of all texts in VALUE, which is at PATH, with a NUL byte."""
    if isinstance(value, str) and "\0" in value:
        yield path
    each = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in each:
        yield from _spoilt(item, (*path, str(key)))


def _gates(document: Document) -> Gates:
    """Return what is said of the gates; where nobody has said which tests there are, the application may have some."""
    beside = f"{document.application.path}/tests".removeprefix("./")
    suites = document.gates.tests.items()
    tests = {
        name: replace(suite, paths=[*suite.paths, beside]) if isinstance(suite, UsualTests) else suite
        for name, suite in suites
    }
    return replace(document.gates, tests=tests)


def _check_gates(document: Document, data: Mapping[str, Any], text: str) -> None:
    """Raise BadInput where it is not clear whether a group of gates is ours, theirs or off."""
    for group in GROUPS:
        gate, hint = document.gates.of(group), f"without [gates.{group}], Longshore's own checks run"
        if group in data.get("gates", {}) and not gate.run and not gate.off:
            raise BadInput(f"{mistakes.where(text, ('gates', group), {})} has neither `run` nor `off`", hint=hint)
        if gate.run and gate.off:
            where = mistakes.where(text, ("gates", group, "off"), {})
            raise BadInput(f"{where} stands beside `run`", hint="a gate that runs is not off: keep one of the two")
    if not (document.gates.tests or document.gates.test.run or document.gates.test.off):
        hint = 'without the table, Longshore looks for tests; `off = "…"` under [gates.test] leaves them out'
        raise BadInput(f"{mistakes.where(text, ('gates', 'tests'), {})} has no suite", hint=hint)
    for name, suite in document.gates.tests.items():
        keys = [key for key in ("python", "install", "groups") if getattr(suite, key)]
        if keys and document.gates.virtualenv == "ours":
            where = mistakes.where(text, ("gates", "tests", name, keys[0]), {})
            hint = 'take it out, or say `virtualenv = "own"` under [gates]'
            raise BadInput(f"{where} is for the application's own virtualenv, and `virtualenv` is ours", hint=hint)
    for name, step in document.steps.items():
        if name in GROUPS:
            where = mistakes.where(text, ("steps", name), {})
            raise BadInput(f"{where} has the name of a group of steps", hint=f'say `group = "{name}"` to be in it')
        if step.group in document.gates.off:
            where = mistakes.where(text, ("steps", name, "group"), {})
            sentence = f"{where} is {step.group!r}, and that group is off"
            raise BadInput(sentence, hint=f"take out `group`, or [gates.{step.group}]")


def _check_sizes(
    document: Document, path: mistakes.Keys, table: EnvironmentTable, text: str, variables: Mapping[str, mistakes.Keys]
) -> None:
    """Raise BadInput where the sizes at PATH are of no workload, or of one that does not have them."""
    if unknown := [name for name in table.workloads if name not in document.workloads]:
        hint = f"[workloads.{unknown[0]}] says what it is; a process of the Procfile needs one, too, with its `kind`"
        raise BadInput(f"{mistakes.where(text, (*path, unknown[0]), variables)} is no [workloads.NAME]", hint=hint)
    if wrong := mistake(sized(document.workloads, table.workloads)):
        raise BadInput(f"{mistakes.where(text, (*path, *wrong[0]), variables)} {wrong[1]}", hint=wrong[2])


def _check_review(document: Document, text: str) -> None:
    """Raise BadInput where code that nobody has reviewed would run in no cluster, or in the last one's."""
    review, last = document.pipeline.review, document.pipeline.environments[-1:] or (*document.environments,)
    if review is None:
        return
    where = mistakes.where(text, ("pipeline", "review", "environment"), {})
    if review.environment not in document.environments:
        raise BadInput(
            f"{where} is {review.environment!r}, which is no [environments.NAME]", hint="its cluster has them"
        )
    if review.environment in last and document.environments[review.environment].protected:
        hint = "name an earlier environment, such as staging: what runs beside it is what nobody has reviewed yet"
        raise BadInput(f"{where} is {review.environment}, which users are served from", hint=hint)


def _check_variable(name: str, value: object, where: str) -> None:
    if name in DECIDED:
        raise BadInput(f"{where} is no variable to set: another key of {FILE} decides it", hint=DECIDED_HINT)
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{where} is {value}, and Terraform has no such number", hint="write a finite one")


def _check_encoding(environ: Mapping[str, str]) -> None:
    """Raise BadInput for a variable of ours whose name or value is not UTF-8; the value may be secret."""
    for name, value in environ.items():
        both = name + value
        if name.startswith("LONGSHORE_") and both.encode(errors="replace") != os.fsencode(both):
            shown = name.encode(errors="backslashreplace").decode()
            raise BadInput(f"{shown} is not UTF-8", hint="take the variable out, or write it in UTF-8")


def _check_canary(table: EnvironmentTable, where: str) -> None:
    hint = 'a share of the replicas, or a list of growing ones, such as ["10%", "50%"]'
    try:
        steps = canary.steps(table.canary)
    except ValueError as problem:
        raise BadInput(f"{where}: {problem}", hint=hint) from None
    if steps and not table.bake:
        hint = "`bake` is what each step of a canary takes, and how long the whole release is watched after that"
        raise BadInput(f"{where}: a canary needs more than 0 seconds of `bake`", hint=hint)


def read(root: Path) -> str:
    """Return what ROOT/longshore.toml holds. Raises BadInput where it is not a file of text, or ROOT has a bad name."""
    if "\n" in str(root) or str(root).encode(errors="replace") != os.fsencode(root):
        hint = "move the project: its path must be UTF-8, without line breaks"
        raise BadInput(f"git, Terraform and Kubernetes cannot work with this path: {root}", hint=hint)
    path = root / FILE
    hint = "run the command in the project's root folder"
    if path.exists() and not path.is_file():
        raise BadInput(f"{FILE} is not a file", hint=hint)
    try:
        return path.read_bytes().decode("utf-8-sig")  # Windows editors begin a file with a mark
    except FileNotFoundError:
        raise BadInput(f"there is no {FILE} in {root.name}/", hint=hint) from None
    except (OSError, UnicodeDecodeError) as problem:
        hint = "check its owner and its mode, and save it as UTF-8"
        raise BadInput(f"{FILE} cannot be read: {problem}", hint=hint) from None


def _resolve(
    name: str, table: EnvironmentTable, project: str, root: Path, host: Host, found: Credentials
) -> Environment:
    """Fill in what follows from the rest: names, folders, the AWS clients' environment variables."""
    local = None
    if table.local:
        checkout = host.checkout or root
        digest = hashlib.sha256(f"{checkout.resolve()}\0{name}".encode()).hexdigest()
        identity = f"{project}-{name}-{digest[:6]}"
        state, run = host.state / "longshore" / identity, Path("/run/longshore") / identity
        guest = checkout.resolve() != root.resolve()
        local = LocalEnvironment(
            **asdict(table.local), id=identity, state=state, run=run, checkout=checkout, guest=guest
        )
    resolved = {
        "namespace": table.namespace or project,
        "overlay": table.overlay or name,
        "variables_file": table.variables_file or f"terraform/environments/{name}.tfvars",
        "local": local,
    }
    return Environment(**asdict(table) | resolved, name=name, aws_env=_aws_env(table.region, local, found))


def _aws_env(region: str, local: LocalEnvironment | None, found: Credentials) -> Variables:
    env: Variables = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if local is None or local.guest:
        return found.variables | env
    # Empty values keep the machine's own credentials out of reach.
    return {
        **env,
        **dict.fromkeys((*KEYS, *TOKENS), ""),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{local.aws_port}",
        "AWS_SHARED_CREDENTIALS_FILE": str(local.state / "aws" / "credentials"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_PROFILE": "default",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
