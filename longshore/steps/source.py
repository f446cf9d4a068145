"""Which revision this is, and whether it is what was committed."""

from __future__ import annotations

from dataclasses import dataclass

from longshore.commands import git
from longshore.errors import Precondition
from longshore.runner import Runner
from longshore.settings import Settings
from longshore.steps import fingerprint


@dataclass(frozen=True, kw_only=True)
class Source:
    """`commit` is the full hash, `revision` what a release is called: 12 digits, and for uncommitted work its own hash."""

    commit: str
    revision: str
    dirty: bool


def deployed_paths(settings: Settings) -> tuple[str, ...]:
    """Return what a release is made from; a change anywhere else does not make work uncommitted."""
    app = settings.application
    return (app.path, app.dockerfile, app.requirements, ".dockerignore", "k8s")


def read(settings: Settings, runner: Runner) -> Source:
    """Return the source as it stands. Raises Precondition outside a git repository or before its first commit."""
    result = runner.run(git.head(), check=False)
    if result.exit_code != 0:
        raise Precondition(
            "this folder is no git repository with a commit",
            hint="`git init && git add . && git commit`: releases are named by commit",
        )
    commit = result.stdout.strip()
    paths = deployed_paths(settings)
    dirty = bool(runner.run(git.changes(*paths)).stdout.strip("\0"))
    revision = commit[:12]
    if dirty:
        revision += f"-dirty-{fingerprint.of(settings.root, paths)[:8]}"
    return Source(commit=commit, revision=revision, dirty=dirty)
