"""Programs that run a provider's pipeline on this machine: gitlab-ci-local and act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from longshore.process.command import Command, Secret, change

Env = Mapping[str, str | Secret]
# What leads a job to packages, as a runner's own settings do.
TAKES = (
    *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CERT"),
    *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NATIVE_TLS", "UV_LINK_MODE"),
)
DEADLINE = 4 * 3600.0  # seconds; each step of a job has a deadline of its own


def gitlab_ci_local(
    project: Path, home: Path, variables: Mapping[str, str], env: Env, *, unset: Iterable[str], by_hand: Iterable[str]
) -> Command:
    """Run the pipeline in PROJECT, each job in a folder of its own, and of the manual jobs those BY_HAND."""
    argv = (
        *("gitlab-ci-local", f"--home={home}", "--force-shell-executor", "--shell-isolation"),
        *("--no-artifacts-to-source", "--no-color", f"--ignore-predefined-vars={','.join([*variables, *unset])}"),
        *(word for name in unset for word in ("--unset-variable", name)),
        *(word for name, value in variables.items() for word in ("--variable", f"{name}={value}")),
        *(word for name in by_hand for word in ("--manual", name)),
    )
    return change(*argv, cwd=project, env={"NO_COLOR": "1", **env}, takes=TAKES, deadline=DEADLINE, grace=60.0)


def act(
    project: Path, workflow: Path, event: str, payload: Path, home: Path, actions: Mapping[str, Path], env: Env
) -> Command:
    """Run WORKFLOW for EVENT as if it was PROJECT's; PAYLOAD says more of the event, ACTIONS are folders by name.

    HOME has the files `secrets` and `env`, which are all the variables that a job has beside the workflow's.
    """
    argv = (
        *("act", event, f"--directory={project}", f"--workflows={workflow}", f"--eventpath={payload}", "--json"),
        *("--platform=ubuntu-latest=-self-hosted", "--no-skip-checkout", "--no-cache-server", "--pull=false"),
        *("--container-daemon-socket=-", f"--secret-file={home / 'secrets'}", f"--env-file={home / 'env'}"),
        f"--action-cache-path={home / 'act'}",
        *(f"--local-repository={name}={folder}" for name, folder in actions.items()),
    )
    return change(*argv, cwd=project, env=env, takes=TAKES, deadline=DEADLINE, grace=60.0)
