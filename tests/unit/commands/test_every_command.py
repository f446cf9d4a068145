"""What holds for every command, a new one included: arguments are made from the annotations of each public function."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

import longshore.commands
from longshore.commands import git
from longshore.commands.kubectl import Cluster
from longshore.process.command import Command, Kind, Secret
from longshore.process.runner import Runner

# Each of these made a tool of ours do something else, or another tool of its kind can be made to.
MISLEADING = (
    *(
        "TF_WORKSPACE",
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_plan",
        "TF_VAR_node_count",
        "TF_DATA_DIR",
        "TF_LOG",
        "TF_REATTACH_PROVIDERS",
    ),
    *(
        "PYTEST_ADDOPTS",
        "PYTEST_PLUGINS",
        "COVERAGE_RCFILE",
        "RUFF_CONFIG",
        "RUFF_NO_CACHE",
        "MYPYPATH",
        "MYPY_FORCE_COLOR",
    ),
    *("YAMLLINT_CONFIG_FILE", "HADOLINT_IGNORE", "PIP_AUDIT_FORMAT", "PIP_CONSTRAINT", "PIP_TARGET", "PIP_USER"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "NOX_SESSION", "UV_PYTHON"),
    *(
        "KUBECTL_EXTERNAL_DIFF",
        "KUBECONFIG",
        "KUBERC",
        "KUBECTL_APPLYSET",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
    ),
    *(
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_GLOBAL",
        "GIT_EXEC_PATH",
        "GIT_SSL_NO_VERIFY",
        "GIT_TRACE",
        "DOCKER_CONTENT_TRUST",
    ),
    *("DOCKER_DEFAULT_PLATFORM", "BUILDKIT_HOST", "BUILDKIT_PROGRESS", "BUILDX_NO_DEFAULT_ATTESTATIONS", "LD_PRELOAD"),
    *("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "BASH_ENV", "ENV"),
    *("DATABASE_URL", "CI_JOB_TOKEN", "LONGSHORE_PLAN_KEY", "DOCKER_PWORD", "TF_VAR_AWS_SECRET_ACCESS_KEY"),
)
SECRET = "open-sesame-1234"  # pragma: allowlist secret
READING_VERBS = {"auth", "describe", "diff", "get", "kustomize", "logs", "version", "wait"}


def argument(name: str, kind: Any) -> Any:
    """Return a value of the type KIND for the parameter NAME; a secret wherever one is accepted."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return argument(name, Secret if Secret in inner else inner[0])
    if origin is Literal:
        return inner[0]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{key: argument(key, hint) for key, hint in get_type_hints(kind).items()})  # type: ignore[operator]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {f"{name}-key": argument(name, inner[1])}
    if origin is not None:
        return (argument(name, inner[0]),)
    return {
        Any: {name: name},
        str: name,
        Path: Path(f"/{name}"),
        Secret: Secret(SECRET),
        bool: True,
        float: 5.0,
        int: 5,
    }[kind]


def build(function: Callable[..., Command], *, every: bool) -> Command:
    """Call FUNCTION with its required arguments only or, if EVERY, with all of them."""
    hints = get_type_hints(function)
    positional, named = [], {}
    for parameter in inspect.signature(function).parameters.values():
        value = argument(parameter.name, hints[parameter.name])
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += [value, f"other-{value}"]
        elif parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append(value)
        elif parameter.default is parameter.empty or every:
            named[parameter.name] = value
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in inspect.signature(function).parameters.values()):
        keywords = inspect.getfullargspec(function).kwonlyargs
        named = {name: value for name, value in named.items() if name in keywords}
    return function(*positional, **named)


def commands() -> Iterator[Any]:
    """Yield module, function and command for each function of longshore/commands that describes one."""
    for info in pkgutil.iter_modules(longshore.commands.__path__):
        module = importlib.import_module(f"longshore.commands.{info.name}")
        for name, function in vars(module).items():
            described = inspect.isfunction(function) and function.__module__ == module.__name__
            if described and get_type_hints(function).get("return") is Command:
                for every in (False, True):
                    words = f"{info.name}.{name}{'-every-argument' if every else ''}"
                    yield pytest.param(info.name, function, build(function, every=every), id=words)


EVERY = tuple(commands())


def of(*modules: str) -> pytest.MarkDecorator:
    """Parametrise a test over all commands of MODULES, or of all modules."""
    chosen = [entry for entry in EVERY if entry.values[0] in modules or not modules]
    assert {entry.values[0] for entry in chosen} >= set(modules)
    return pytest.mark.parametrize(("module", "function", "command"), chosen)


@of()
def test_a_command_is_words_and_has_a_deadline(module: str, function: object, command: Command) -> None:
    assert all(isinstance(word, str) for word in command.argv)
    assert command.argv[0]
    assert 0 < command.deadline < math.inf


@of()
def test_no_secret_is_in_the_words_of_a_command(module: str, function: object, command: Command) -> None:
    assert SECRET not in command.text
    assert str(Secret(SECRET)) not in command.text


@of()
def test_no_variable_of_the_shell_misleads_a_command_and_no_secret_reaches_it(
    module: str, function: object, command: Command
) -> None:
    shell = dict.fromkeys((*MISLEADING, "PATH", "HOME"), "ambient")
    env = Runner(shell).environment(command)
    asks = function in (git.list_remote, git.fetch_branch) or (
        function in (git.show, git.listed) and "env-key" in command.env
    )
    token = {"CI_JOB_TOKEN"} if asks else set[str]()
    home = set[str]() if "HOME" in command.env else {"HOME"}
    assert {name for name, value in env.items() if value == "ambient"} == {"PATH"} | home | token


@of("git")
def test_git_knows_who_called_sudo(module: str, function: object, command: Command) -> None:
    assert "SUDO_UID" in command.takes, "else it does not trust that user's checkout"


@of("git")
def test_git_knows_of_no_replacement_and_runs_no_hook(module: str, function: object, command: Command) -> None:
    assert command.argv[: len(git.PLAIN)] == git.PLAIN


@of("checks", "git", "docker", "buildctl")
def test_checks_and_builds_change_nothing(module: str, function: object, command: Command) -> None:
    assert command.kind is Kind.QUERY


@of("kubectl")
def test_every_call_of_a_cluster_names_kubeconfig_and_context(module: str, function: Any, command: Command) -> None:
    if Cluster in get_type_hints(function).values():
        assert command.argv[:3] == ("kubectl", "--kubeconfig=/kubeconfig", "--context=context")
    else:
        assert "kustomize" in command.argv, "only rendering needs no cluster"


@of("kubectl")
def test_a_query_of_a_cluster_uses_a_verb_that_reads(module: str, function: Any, command: Command) -> None:
    verbs = [word for word in command.argv[1:] if not word.startswith("--")]
    assert command.kind is Kind.CHANGE or verbs[0] in READING_VERBS or "--dry-run=server" in command.argv


@of("terraform")
def test_every_call_of_terraform_names_its_folder(module: str, function: object, command: Command) -> None:
    assert command.argv[:2] == ("terraform", "-chdir=/folder")
