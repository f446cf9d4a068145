"""The pipeline for GitHub Actions: the conditions of its jobs. `github.yml.j2` is the file's text.

A pull request's event runs what needs no credentials, on what would be merged. What a branch of the project itself
plans is planned when it is pushed. A skipped job counts as passed there, so no gate is ever skipped for a pull request.
"""

from __future__ import annotations

import posixpath

from longshore.pipeline import rendering
from longshore.pipeline.jobs import gates_off, jobs
from longshore.pipeline.model import Event, Job, Kept, Role, Setup
from longshore.settings.model import Settings

FILE = ".github/workflows/longshore.yml"
# Each by its commit: a tag can be moved. Versions as of November 2026.
ACTIONS = {
    "checkout": "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "python": "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0",
    "upload": "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1",
    "download": "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "sarif": "github/codeql-action/upload-sarif@e4fba868fa4b1b91e1fdab776edc8cfbe6e9fb81 # v4.37.3",
    "kubectl": "azure/setup-kubectl@776406bce94f63e41d621b960d78ee25c8b76ede # v4.0.1",
    "terraform": "hashicorp/setup-terraform@5e8dbf3c6d9deaf4193ca7a8fb23f2ac83bb6c85 # v4.0.0",
}
ROLLBACK = "inputs.do == 'rollback'"  # a run that a person starts to go back does nothing else
FORWARD = "inputs.do != 'rollback'"
OPEN, CLOSED = "github.event.action != 'closed'", "github.event.action == 'closed'"
OWN = "github.event.pull_request.head.repo.full_name == github.repository"  # no fork's
DEFAULT = "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"


def render(settings: Settings) -> str:
    """Return the text of the workflow."""
    return rendering.render(
        "github.yml.j2",
        settings=settings,
        off=gates_off(settings),
        jobs=[job for job in jobs(settings) if job.provider in ("", "github")],
        actions=ACTIONS,
        closes=closes(settings),
        condition=lambda job: condition(job, settings.pipeline.github, closes=closes(settings)),
        variables=variables,
        passed=passed,
        scanned=lambda job: [each.paths[0] for each in job.kept.artifacts if each.kind == "sarif"] if job.kept else [],
        setups=Setup,
        role_none=Role.NONE,
    )


def closes(settings: Settings) -> bool:
    """Return whether the end of a pull request starts the workflow."""
    return any(Event.CLOSED in job.events for job in jobs(settings))


def condition(job: Job, project: str, *, closes: bool = False) -> list[str]:
    """Return what has to be true for JOB to run, as expressions; with credentials, it only does in PROJECT itself.

    CLOSES says whether the workflow starts, too, when a pull request ends.
    """
    parts = [f"github.repository == '{project}'"] if job.role is not Role.NONE and project else []
    if job.events == {Event.SCHEDULE}:
        return ["github.event_name == 'schedule'", *parts]
    if job.events <= {Event.REQUEST, Event.CLOSED}:
        return ["github.event_name == 'pull_request'", *parts, OWN, CLOSED if job.ends else OPEN]
    parts.insert(0, "github.event_name != 'schedule'")
    if closes and Event.FORK in job.events:
        parts.append(OPEN)
    if Event.FORK not in job.events:
        parts.append("github.event_name != 'pull_request'")
    if job.events == {Event.DEFAULT}:
        parts.append(DEFAULT)
    parts.append(ROLLBACK if job.apart else FORWARD)
    return parts


def variables(job: Job) -> dict[str, str]:
    """Return the environment variables of JOB that GitHub, unlike GitLab, has to be told to set."""
    found = {}
    if job.role is not Role.NONE:
        found["AWS_ROLE_ARN"] = "${{ vars.AWS_ROLE_ARN }}"
    if job.role in (Role.PLAN, Role.APPLY):
        found["LONGSHORE_PLAN_KEY"] = "${{ secrets.LONGSHORE_PLAN_KEY }}"
    if job.of_request:
        found["LONGSHORE_REQUEST"] = "${{ github.event.number }}"
    if job.role is Role.BUILD and job.setup is Setup.DOCKER:
        found["DOCKER_UNAME"] = "${{ vars.DOCKER_UNAME }}"
        found["DOCKER_PWORD"] = "${{ secrets.DOCKER_PWORD }}"
    return found


def passed(kept: Kept) -> str:
    """Return the folder that an artifact's files are relative to: GitHub cuts off what their paths have in common."""
    files = [path for artifact in kept.artifacts for path in artifact.paths]
    return posixpath.commonpath([posixpath.dirname(path) for path in files])
