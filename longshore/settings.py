"""The only reader of longshore.toml and of the process's environment variables.

`load` is a function of (folder, mapping): a test passes a dict. Any key may be overridden by an environment variable named after its path,
`LONGSHORE__ENVIRONMENTS__LOCAL__NAMESPACE=other`, whose value is read as TOML where it is TOML and as text otherwise.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from longshore.command import Secret
from longshore.errors import BadInput
from longshore.settings_check import check_keys, check_numbers, line_of, place_of
from longshore.settings_graph import Gates, Own, Results
from longshore.settings_rollout import Budgets, Patience, Seconds

FILE = "longshore.toml"
PREFIX = "LONGSHORE__"


class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table in longshore.toml: frozen, and a stranger among its keys is an error."""


class Project(Struct, frozen=True):
    """`[project]`: `name` prefixes what Longshore makes in AWS, at most 16 characters."""

    name: str


class Application(Struct, frozen=True):
    """`[application]`: where the Flask service lives, relative to the project's root."""

    path: str = "application"
    port: int = 5000
    dockerfile: str = "Dockerfile"
    requirements: str = "requirements/application.txt"
    base_image: str = "python:3.11-slim-bookworm"
    build_deadline: float = 600.0


class Local(Struct, frozen=True):
    """`[environments.NAME.local]`: the parts of the environment that Longshore itself runs on this machine."""

    aws_port: int = 4566
    context: str = ""
    kubeconfig: str = ""
    registry: str = ""
    node_address: str = ""
    id: str = ""
    state: Path = Path()
    run: Path = Path()


class Environment(Struct, frozen=True):
    """`[environments.NAME]`: a place we deploy to.

    `variables` are Terraform variables on top of the environment's .tfvars file. Deadlines are in seconds. `approve = "auto"`
    lets `deploy` apply a plan that nobody has looked at; a protected environment refuses uncommitted work. `bake` is for how long a
    release is watched and asked after it was verified. `cluster` is the UID of its namespace kube-system, `lease_wait` for how long a
    release waits for another one to end, `secrets` are files for the service by name, each an id in AWS Secrets Manager, or `id#key`.
    """

    name: str = ""
    region: str = "eu-central-1"
    account: str = ""
    namespace: str = ""
    overlay: str = ""
    variables_file: str = ""
    variables: dict[str, str | int | float | bool | list[str]] = {}
    protected: bool = False
    approve: Literal["auto", "manual"] = "manual"
    cluster: str = ""
    rollout_deadline: float = 300.0
    hook_deadline: float = 600.0
    lease_wait: Seconds = 600.0
    secrets: dict[str, str] = {}
    verify_deadline: float = 60.0
    bake: Seconds = 60.0
    patience: Patience = Patience()
    budgets: Budgets = Budgets()
    keep_releases: int = 20
    local: Local | None = None
    aws_env: dict[str, Any] = {}

    @property
    def endpoint_url(self) -> str:
        """Address of the AWS API where it is not Amazon's own, else an empty text."""
        return str(self.aws_env.get("AWS_ENDPOINT_URL", ""))


class Settings(Struct, frozen=True):
    """Everything that is decided before anything is done."""

    root: Path
    cache: Path
    project: Project
    application: Application
    gates: Gates
    environments: dict[str, Environment]
    steps: dict[str, Own]
    results: Results
    environ: dict[str, str]
    ci: bool

    @property
    def work(self) -> Path:
        """The project's disposable folder: cache, logs, report."""
        return self.root / ".longshore"

    def environment(self, name: str) -> Environment:
        """Return the environment called NAME; raise BadInput, naming the nearest one, where there is none."""
        if name in self.environments:
            return self.environments[name]
        import difflib

        near = difflib.get_close_matches(name, self.environments, n=1)
        known = ", ".join(self.environments)
        raise BadInput(
            f"{FILE} has no environment called {name!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"it knows: {known}",
        )


def process_environment() -> dict[str, str]:
    """Return the environment variables of this process."""
    return dict(os.environ)


def load(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read ROOT/longshore.toml and the overrides in ENVIRON.

    Raises BadInput with file and line for a syntax error, an unknown key, a wrong type or a missing value.
    """
    source = root / FILE
    try:
        text = source.read_text()
        data = tomllib.loads(text)
    except FileNotFoundError:
        raise BadInput(
            f"there is no {FILE} in {root.name}/", hint="run the command in the project's root folder"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise BadInput(f"{FILE} is not valid TOML: {problem}", hint="a text value needs quotes") from None
    for path, value in _overrides(environ):
        _put(data, path, value)
    check_keys(data, Document, text)
    environments = data.pop("environments", None)
    if not environments:
        raise BadInput(f"{FILE} has no [environments.NAME] table", hint="add [environments.local]")
    steps = {
        name: _convert(table, Own, ("steps", name), text) for name, table in data.pop("steps", {}).items()
    }
    document = _convert(data, Document, (), text)
    made = {
        name: _complete(
            name,
            _convert(table, Environment, ("environments", name), text),
            document.project,
            root,
            environ,
            text,
        )
        for name, table in environments.items()
    }
    return Settings(
        root=root,
        cache=_home(environ, "XDG_CACHE_HOME", ".cache") / "longshore",
        project=document.project,
        application=document.application,
        gates=document.gates,
        environments=made,
        steps=steps,
        results=document.cache,
        environ=dict(environ),
        ci=environ.get("CI", "").lower() not in ("", "0", "false"),
    )


class Document(Struct, frozen=True):
    """The whole of longshore.toml."""

    project: Project
    application: Application = Application()
    gates: Gates = Gates()
    steps: dict[str, Own] = {}
    cache: Results = Results()
    environments: dict[str, Environment] = {}


def _complete(
    name: str, table: Environment, project: Project, root: Path, environ: Mapping[str, str], text: str
) -> Environment:
    """Fill in what follows from the rest: names, folders, the AWS clients' environment."""
    where = ("environments", name)
    if len(project.name) > 16 or len(name) > 20 or not (project.name + name).replace("-", "").isalnum():
        raise BadInput(
            f"{FILE}:{line_of(text, where)}: an environment's name has at most 20 letters, digits and dashes, the project's 16",
            hint="AWS limits the length of the names that are made from them",
        )
    check_numbers(table, where, text)
    local = table.local
    if local is not None:
        digest = hashlib.sha256(f"{root.resolve()}\0{name}".encode()).hexdigest()[:6]
        own = f"{project.name}-{name}-{digest}"
        local = msgspec.structs.replace(
            local,
            id=own,
            state=_home(environ, "XDG_STATE_HOME", ".local/state") / "longshore" / own,
            run=Path("/run/longshore") / own,
        )
        if local.context and not (local.registry and local.node_address):
            raise BadInput(
                f"{FILE}:{line_of(text, (*where, 'local', 'context'))}: an existing context needs `registry` and `node_address` as well",
                hint="registry: where that cluster pulls images from; node_address: where its NodePorts answer",
            )
    return msgspec.structs.replace(
        table,
        name=name,
        namespace=table.namespace or project.name,
        overlay=table.overlay or name,
        variables_file=table.variables_file or f"terraform/environments/{name}.tfvars",
        local=local,
        aws_env=_aws_env(table.region, local, environ),
    )


def _aws_env(region: str, local: Local | None, environ: Mapping[str, str]) -> dict[str, str | Secret]:
    """Return what every AWS client of the environment gets: the only difference between AWS and the local one."""
    env: dict[str, str | Secret] = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if local is not None:
        # Empty values take the machine's own credentials out of reach.
        env |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
        env |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{local.aws_port}",
            "AWS_SHARED_CREDENTIALS_FILE": str(local.state / "aws" / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_PROFILE": "default",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return env
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        # The GitLab project that this one continues kept its keys under Terraform's names.
        if value := environ.get(key) or environ.get(f"TF_VAR_{key}"):
            env[key] = Secret(value)
    return env


def _convert(data: Any, into: type[Any], path: tuple[str, ...], text: str) -> Any:
    try:
        return msgspec.convert(data, into)
    except msgspec.ValidationError as problem:
        said, _, at = str(problem).partition(" - at `$")
        path = (*path, *(part for part in at.rstrip("`").split(".") if part))
        raise BadInput(
            f"{place_of(text, path)}: {said[0].lower()}{said[1:]}",
            hint="the comments in longshore.toml say what each key takes",
        ) from None


def _overrides(environ: Mapping[str, str]) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for key, raw in sorted(environ.items()):
        if key.startswith(PREFIX):
            try:
                value = tomllib.loads(f"value = {raw}")["value"]
            except tomllib.TOMLDecodeError:
                value = raw
            found.append((tuple(key.removeprefix(PREFIX).lower().split("__")), value))
    return found


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise BadInput(
                f"the environment variable {PREFIX}{'__'.join(path).upper()} goes through {part!r}, which is no table"
            )
    data[path[-1]] = value


def _home(environ: Mapping[str, str], variable: str, default: str) -> Path:
    return Path(environ.get(variable) or Path(environ.get("HOME", "/root")) / default)
