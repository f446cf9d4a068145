"""What a pipeline consists of, whoever runs it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Event(StrEnum):
    """Why a pipeline starts. Which files were changed is no part of it: the step graph decides what there is to do."""

    BRANCH = "a push to another branch"
    REQUEST = "a merge request of this project's own branch"
    FORK = "a merge request from a fork"
    DEFAULT = "a push to the default branch"
    SCHEDULE = "the schedule"
    CLOSED = "a merge request of this project's own branch that was merged or closed"


class Role(StrEnum):
    """What a job may do in AWS: each is a role of its own there, with an environment of its own at GitLab or GitHub."""

    NONE = "none"
    PLAN = "plan"
    APPLY = "apply"
    BUILD = "build"
    DEPLOY = "deploy"
    REVIEW = "review"


class Setup(StrEnum):
    """What a job needs before its script runs."""

    NOX = "nox"  # Python and Nox
    INVOKE = "invoke"  # Python with the toolkit, Terraform, kubectl, git
    DOCKER = "docker"  # the same, and a Docker daemon


class Artifact(Struct, frozen=True, kw_only=True):
    """Files that outlive a job, relative to the root. `kind` is GitLab's name of a report, or `sarif`,
    which GitHub takes in its place; empty for plain files.
    """

    paths: tuple[str, ...]
    kind: str = ""


class Kept(Struct, frozen=True, kw_only=True):
    """A job's artifacts, kept for `days`. `always`: a failed job has them, too. `secret`: not for readers of a log."""

    artifacts: tuple[Artifact, ...]
    days: int = 7
    always: bool = True
    secret: bool = False


class Job(Struct, frozen=True, kw_only=True):
    """One job: `script` are its commands, each of Nox or Invoke, the same on a laptop.

    `needs` are jobs that have to pass first, `receives` those of them whose artifacts it gets. `by_hand`: a person
    starts it, and nobody waits for it; `apart`: for its own sake, not as a part of a delivery. `exclusive`: of all
    pipelines, one job for its environment at a time, never cancelled half-way. `history`: it needs every commit.
    `minutes` is after how long it is stopped. `coverage` is a regular expression; its first group is the figure shown.
    A job that `ends_with` another deploys to an environment that is its request's alone, for `hours`, until that job is
    started; the other's `ends` says so. `provider` is the only one that has it, empty: both.
    """

    name: str
    stage: str
    title: str
    script: tuple[str, ...]
    events: frozenset[Event]
    setup: Setup = Setup.NOX
    role: Role = Role.NONE
    environment: str = ""
    needs: tuple[str, ...] = ()
    receives: tuple[str, ...] = ()
    by_hand: bool = False
    apart: bool = False
    exclusive: bool = False
    history: bool = False
    minutes: int = 20
    kept: Kept | None = None
    coverage: str = ""
    serves: bool = False
    ends_with: str = ""
    hours: int = 0
    ends: bool = False
    provider: str = ""

    @property
    def of_request(self) -> bool:
        """Whether its environment is its merge request's alone."""
        return bool(self.ends_with) or self.ends

    @property
    def scope(self) -> str:
        """The environment at GitLab or GitHub whose variables the job gets: one for each role."""
        return f"{self.environment}/{self.role}"
