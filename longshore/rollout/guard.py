"""Before anything is written: this has to be the account, the cluster and the revision that the environment's settings mean."""

from __future__ import annotations

from dataclasses import dataclass

from longshore.commands import git
from longshore.errors import Precondition
from longshore.rollout.api import UNANSWERED, Api, Refused
from longshore.rollout.records import Release, last_good
from longshore.runner import Runner
from longshore.settings import Environment
from longshore.steps import aws


@dataclass(frozen=True, kw_only=True)
class Source:
    """The commit that is to be released (full hash), whether it has uncommitted work, and whether an older one than what runs will do."""

    commit: str
    dirty: bool = False
    allow_older: bool = False


def cluster(environment: Environment, api: Api, name: str) -> None:
    """Raise Precondition unless account and cluster (called NAME in EKS) are those of the settings. Reads only."""
    if not (environment.local and environment.local.context):
        aws.guard_account(environment)
        with aws.errors(f"the EKS cluster {name}"):
            found = aws.client(environment, "eks").describe_cluster(name=name)["cluster"]
        if found["endpoint"] != api.address:
            raise Precondition(
                f"the kubeconfig leads to {api.address}, but EKS says that {name} is at {found['endpoint']}",
                hint="nothing was changed; `invoke infra.output` shows what Terraform last saw",
            )
    if environment.cluster and (uid := identity(api)) != environment.cluster:
        raise Precondition(
            f"this is the cluster {uid}, but {environment.name} is {environment.cluster}",
            hint="nothing was changed; `cluster` in longshore.toml is the UID of the namespace kube-system",
        )


def identity(api: Api) -> str:
    """Return what tells the cluster from any other: the UID of its namespace kube-system."""
    try:
        return str(api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"])
    except Refused as problem:
        raise Precondition(
            f"the cluster's identity cannot be read: {problem}",
            hint="these credentials need `get` on the namespace kube-system",
        ) from None
    except UNANSWERED as problem:
        raise Precondition(f"the API server does not answer: {problem}") from None


def revision(environment: Environment, runner: Runner, source: Source, releases: list[Release]) -> None:
    """Raise Precondition where a protected environment would get work that is not pushed, or older work than what runs."""
    if not environment.protected:
        return
    in_job = (
        runner.environ.get("CI_COMMIT_SHA") == source.commit
    )  # a job's commit was pushed, or there were no job
    if not in_job and not runner.run(git.upstream_has(source.commit), check=False).stdout.strip():
        raise Precondition(
            f"{environment.name} is protected and the commit {source.commit[:12]} is on no remote branch",
            hint="push it; nothing was changed",
        )
    good = last_good(releases)
    if good is None or source.allow_older or source.commit.startswith(good.revision):
        return
    contains = runner.run(git.is_ancestor(good.revision, source.commit), check=False).exit_code
    if contains != 0:
        behind = git.is_ancestor(source.commit, good.revision)
        older = contains == 1 and runner.run(behind, check=False).exit_code == 0
        why = "is older" if older else "does not contain what runs"
        raise Precondition(
            f"{source.commit[:12]} {why}: release {good.number} serves {good.revision}",
            hint="`--allow-older` releases it all the same; in a shallow clone fetch more history",
        )
