"""`invoke ci.run`: what it checks, and what it says."""

from __future__ import annotations

import shutil
from types import ModuleType

import msgspec
from msgspec.structs import replace

from longshore.errors import BadInput, StepFailed, ToolMissing
from longshore.pipeline import rehearse_github, rehearse_gitlab
from longshore.pipeline.jobs import jobs as jobs_of
from longshore.pipeline.model import Job, Setup
from longshore.pipeline.rehearsal import REQUESTS, Ended, Progress, Rehearsal
from longshore.tasks.session import Session

PROVIDERS: dict[str, ModuleType] = {"gitlab": rehearse_gitlab, "github": rehearse_github}
EVENTS = ("push", "merge_request", "closed", "schedule")
LAST = 20  # lines of a failed job's output that are shown
CHANGE = "change"  # the branch of a merge request


def run(session: Session, environment: str, provider: str, event: str, chosen: str, by_hand: str) -> None:
    """Run the pipeline. Raises BadInput, Precondition, StepFailed if a job failed or left out an artifact."""
    _one_of("provider", provider, tuple(PROVIDERS))
    _one_of("event", event, EVENTS)
    host = PROVIDERS[provider]
    world = session.world(environment)
    if world.local is None:
        hint = "it runs the pipeline of an environment with a table [environments.NAME.local]"
        raise BadInput(f"{environment} is not on this machine, and ci.run releases to nothing else", hint=hint)
    review = session.settings.pipeline.review
    beside = review if review and review.environment == environment else None
    pipeline = replace(session.settings.pipeline, environments=(environment,), review=beside)
    settings = replace(session.settings, pipeline=pipeline)
    every = {job.name: job for job in jobs_of(settings) if job.environment or job.setup is not Setup.DOCKER}
    if event == "closed":  # all that happens then; GitLab itself starts what a person could
        every = {name: job for name, job in every.items() if job.ends}
        by_hand = by_hand or ",".join(every)
    names, started = _names("jobs", chosen, every) or tuple(every), _names("by-hand", by_hand, every)
    for program, how in host.PROGRAMS.items():
        if shutil.which(program, path=session.settings.host.path) is None:
            raise ToolMissing(f"{program} is not installed or not on the PATH", hint=f"{how} installs it")
    outputs = world.outputs()
    rehearsal = Rehearsal(
        settings=settings,
        environment=world.environment,
        runner=session.runner,
        folder=session.settings.work / "rehearsal" / provider,
        event=event,
        branch=CHANGE if event in REQUESTS else world.environment.branch,
        jobs=tuple(job for name, job in every.items() if name in names),
        by_hand=started,
        roles=dict(outputs.values.get("ci_role_arns") or {}),
        shared={name: str(world.environment.endpoint_url) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS")},
    )
    if session.snapshot().dirty:
        session.console.line("what is not committed is no part of it")
    for line in host.adapted(rehearsal)[1]:
        session.console.line(f"left out here: {line}")

    def say(name: str, what: str, seconds: float) -> None:
        if what == "begins":
            session.console.started(name, every[name].title)
        else:
            session.console.finished(name, seconds=seconds, ok=what == "passed")

    try:
        with world.local.issuing(host.URL) as sign:
            ended = host.run(rehearsal, sign, Progress(say, session.console.tick))
    finally:
        shutil.rmtree(rehearsal.home, ignore_errors=True)
    _report(session, rehearsal, ended)


def _report(session: Session, rehearsal: Rehearsal, ended: list[Ended]) -> None:
    session.data(jobs=msgspec.to_builtins(ended), folder=str(rehearsal.folder))
    failed = [job.name for job in ended if job.result == "failed"]
    if failed:
        log = rehearsal.log(failed[0])
        printed = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        hint = f"what the jobs printed is in {log.parent}"
        raise StepFailed(f"failed: {', '.join(failed)}", detail="\n".join(printed[-LAST:]), hint=hint)
    missing = [f"{job.name}: {path}" for job in ended for path in job.missing]
    if missing:
        raise StepFailed(f"declared artifacts were not made: {', '.join(missing)}", hint="the job declares them")
    if not any(job.result == "passed" for job in ended):
        raise StepFailed("no job ran", hint="this event has none of these jobs")
    session.console.line("every job passed")


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise BadInput(f"--{option} is {given!r}, which is none of {', '.join(known)}")


def _names(option: str, given: str, every: dict[str, Job]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    if unknown := [name for name in names if name not in every]:
        raise BadInput(f"--{option}: there is no job {unknown[0]!r}", hint=f"there are {', '.join(every)}")
    return names
