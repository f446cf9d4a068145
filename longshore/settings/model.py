"""The settings that everything else uses: the tables of longshore.toml, with what follows from them filled in."""

from __future__ import annotations

import difflib
from pathlib import Path

from msgspec import Struct, field

from longshore.errors import BadInput
from longshore.settings import canary
from longshore.settings.credentials import Credentials, Variables
from longshore.settings.environments import EnvironmentTable, LocalTable
from longshore.settings.gates import Gates, Own, Results
from longshore.settings.host import Host
from longshore.settings.job import Job
from longshore.settings.mistakes import FILE
from longshore.settings.pipeline import Pipeline
from longshore.settings.project import Application, Project
from longshore.settings.workloads import WorkloadTable, sized


class LocalEnvironment(LocalTable, frozen=True, kw_only=True):
    """What Longshore runs on this machine. `id` tells checkouts apart, `state` survives a stop, `run` does not.

    It belongs to `checkout`; where that is another one, we are its `guest`: it is reached with the shell's credentials,
    as AWS is, and neither started nor stopped.
    """

    id: str
    checkout: Path = Path()
    guest: bool = False
    state: Path
    run: Path


class Environment(EnvironmentTable, frozen=True, kw_only=True):
    """A place we deploy to. `namespace`, `overlay` and `variables_file` are always set here.

    `aws_env` are the environment variables of every AWS client, and all that any gets: the shell's own AWS_… variables
    for AWS, made ones for a local environment.
    """

    name: str
    local: LocalEnvironment | None = None
    aws_env: Variables = field(default_factory=dict)

    @property
    def canary_steps(self) -> tuple[int, ...]:
        """The steps of a canary in percent of the replicas, growing; none where it is off."""
        return canary.steps(self.canary)

    @property
    def ours(self) -> bool:
        """Whether it is run on this machine by this checkout, which has its own way into it."""
        return self.local is not None and not self.local.guest

    @property
    def endpoint_url(self) -> str:
        """The URL of our local AWS, or empty for any other AWS, where the shell may say which."""
        return str(self.aws_env.get("AWS_ENDPOINT_URL", "")) if self.ours else ""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that is decided before anything is done. `cache` is the user's, shared by all projects.

    `credentials` is what the shell says of AWS. `overrides` are the environment variables that override a key of
    longshore.toml, with the key.
    """

    root: Path
    cache: Path
    project: Project
    application: Application
    gates: Gates
    environments: dict[str, Environment]
    steps: dict[str, Own]
    results: Results
    pipeline: Pipeline
    workloads: dict[str, WorkloadTable] = {}
    host: Host
    credentials: Credentials
    job: Job
    overrides: dict[str, str] = {}

    @property
    def work(self) -> Path:
        """The project's disposable folder: cache, logs, report."""
        return self.root / ".longshore"

    def workloads_in(self, environment: Environment) -> dict[str, WorkloadTable]:
        """Return the workloads with the sizes that ENVIRONMENT gives them."""
        return sized(self.workloads, environment.workloads)

    def environment(self, name: str) -> Environment:
        """Return the environment called NAME. Raises BadInput, suggesting the nearest name, if there is none.

        Raises it, too, for a protected one where a variable overrides what all environments share.
        """
        if name in self.environments:
            shared = [variable for variable, key in self.overrides.items() if not key.startswith("environments.")]
            if self.environments[name].protected and shared:
                sentence = f"{shared[0]}: {name} is protected, and no variable overrides what is deployed to it"
                raise BadInput(sentence, hint=f"unset it; {FILE} says what is deployed")
            return self.environments[name]
        near = difflib.get_close_matches(name, self.environments, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(self.environments)}"
        raise BadInput(f"{FILE} has no environment called {name!r}", hint=hint)
