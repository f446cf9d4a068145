"""The pipeline for GitLab: which rules and environments its jobs have. `gitlab.yml.j2` is the file's text.

GitLab evaluates a job's rules from top to bottom, and the first that fits decides; none: the job is not there.
"""

from __future__ import annotations

from msgspec import Struct

from longshore.pipeline import rendering
from longshore.pipeline.jobs import STAGES, gates_off, jobs
from longshore.pipeline.model import Event, Job, Role, Setup
from longshore.settings.model import Settings

FILE = ".gitlab-ci.yml"
BASES = {Setup.NOX: ".nox", Setup.INVOKE: ".invoke", Setup.DOCKER: ".docker"}
SCHEDULE = '$CI_PIPELINE_SOURCE == "schedule"'
DEFAULT = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
# A fork's merge request that runs in this project: whoever wrote it must not get the project's credentials.
FOREIGN = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_PROJECT_ID"


class Rule(Struct, frozen=True, kw_only=True):
    """One of a job's rules: where `condition` holds (always, if it is empty), the job is there as `when` says."""

    condition: str = ""
    when: str = "on_success"


def render(settings: Settings) -> str:
    """Return the text of `.gitlab-ci.yml`."""
    found = jobs(settings)
    return rendering.render(
        "gitlab.yml.j2",
        settings=settings,
        off=gates_off(settings),
        stages=[(stage, [job for job in found if job.stage == stage]) for stage in STAGES],
        bases=BASES,
        rules=lambda job: rules(job, settings.pipeline.gitlab),
        job_environment=_environment,
        group=lambda job: _name(job) if job.of_request else job.environment,
        reports=lambda job: [each for each in job.kept.artifacts if each.kind not in ("", "sarif")],
        role_none=Role.NONE,
        image=any(job.setup is Setup.DOCKER for job in found),
    )


def rules(job: Job, project: str) -> list[Rule]:
    """Return the rules of JOB; with credentials, it is only there in PROJECT itself."""
    found = []
    if job.role is not Role.NONE and project:
        found.append(Rule(condition=f'$CI_PROJECT_PATH != "{project}"', when="never"))
    if job.events == {Event.SCHEDULE}:
        return [*found, Rule(condition=SCHEDULE)]
    found.append(Rule(condition=SCHEDULE, when="never"))
    if job.events & {Event.REQUEST, Event.CLOSED} and Event.FORK not in job.events:
        found.append(Rule(condition=FOREIGN, when="never"))
    if job.events <= {Event.REQUEST, Event.CLOSED}:
        return [*found, Rule(condition=REQUEST, when="manual" if job.ends else "on_success")]
    when = "manual" if job.by_hand else "on_success"
    if job.events == {Event.DEFAULT}:
        return [*found, Rule(condition=DEFAULT, when=when)]
    return [*found, Rule(when=when)]


def scope(job: Job) -> str:
    """Return the scope of the variables that JOB gets: a pattern, where each request has an environment of its own."""
    return f"{job.scope}/*" if job.role is Role.REVIEW else job.scope


def _environment(job: Job) -> dict[str, str]:
    """Return the environment of JOB. Only one that serves is a deployment; the others just get its variables.

    GitLab itself starts the job that ends a request's own: with the request, its branch, or its time.
    """
    if job.ends:
        return {"name": _name(job), "action": "stop"}
    if job.serves:
        found = {"name": _name(job), "url": "$LONGSHORE_URL"}
        return found | ({"on_stop": job.ends_with, "auto_stop_in": f"{job.hours} hours"} if job.ends_with else {})
    return {"name": _name(job), "action": "prepare"}


def _name(job: Job) -> str:
    """Return the name of JOB's environment. Of two that are one to GitLab, the end of either would end the other."""
    if job.role is not Role.REVIEW:
        return job.scope
    return f"{job.scope}/{'$CI_MERGE_REQUEST_IID' if job.of_request else 'prune'}"
