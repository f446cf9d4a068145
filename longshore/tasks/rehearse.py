"""`invoke ci.run`: what it checks, and what it says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from types import ModuleType

import msgspec
from msgspec.structs import replace

from longshore.errors import BadInput, StepFailed, ToolMissing
from longshore.pipeline import rehearse_github, rehearse_gitlab
from longshore.pipeline.jobs import jobs as jobs_of
from longshore.pipeline.model import Job, Role, Setup
from longshore.pipeline.rehearsal import REQUESTS, Ended, Progress, Rehearsal, Sign
from longshore.tasks.session import Session
from longshore.tasks.world import World

PROVIDERS: dict[str, ModuleType] = {"gitlab": rehearse_gitlab, "github": rehearse_github}
EVENTS = ("push", "merge_request", "closed", "schedule")
LAST = 20  # lines of a failed job's output that are shown
CHANGE = "change"  # the branch of a merge request


def run(session: Session, environment: str, provider: str, event: str, chosen: str, by_hand: str) -> None:
    """Run the pipeline. Raises BadInput, Precondition, StepFailed if a job failed or left out an artifact."""
    _one_of("provider", provider, tuple(PROVIDERS))
    _one_of("event", event, EVENTS)
    host = PROVIDERS[provider]
    worlds = {name: session.world(name) for name in environment.replace(" ", "").split(",")}
    if elsewhere := [name for name, world in worlds.items() if world.local is None]:
        hint = "it runs the pipeline of environments with a table [environments.NAME.local]"
        raise BadInput(f"{elsewhere[0]} is not on this machine, and ci.run releases to nothing else", hint=hint)
    review = session.settings.pipeline.review
    beside = review if review and review.environment in worlds else None
    pipeline = replace(session.settings.pipeline, environments=tuple(worlds), review=beside)
    settings = replace(session.settings, pipeline=pipeline)
    every = {job.name: job for job in jobs_of(settings) if job.environment or job.setup is not Setup.DOCKER}
    if event == "closed":  # all that happens then; GitLab itself starts what a person could
        every = {name: job for name, job in every.items() if job.ends}
        by_hand = by_hand or ",".join(every)
    names, started = _names("jobs", chosen, every) or tuple(every), _names("by-hand", by_hand, every)
    for program, how in host.PROGRAMS.items():
        if shutil.which(program, path=session.settings.host.path) is None:
            raise ToolMissing(f"{program} is not installed or not on the PATH", hint=f"{how} installs it")
    first = next(iter(worlds.values())).environment
    rehearsal = Rehearsal(
        settings=settings,
        environment=first,
        runner=session.runner,
        folder=session.settings.work / "rehearsal" / provider,
        event=event,
        branch=CHANGE if event in REQUESTS else first.branch,
        jobs=tuple(job for name, job in every.items() if name in names),
        by_hand=started,
        roles={name: world.outputs().values.get("ci_role_arns") or {} for name, world in worlds.items()},
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
        with _trusting(worlds, rehearsal.roles, host.URL) as sign:
            ended = host.run(rehearsal, sign, Progress(say, session.console.tick))
    finally:
        shutil.rmtree(rehearsal.home, ignore_errors=True)
    _report(session, rehearsal, ended)


@contextmanager
def _trusting(worlds: Mapping[str, World], roles: Mapping[str, Mapping[str, str]], url: str) -> Iterator[Sign]:
    """Yield what signs, as URL's, what the AWS of each of WORLDS trusts. Each one's registry lets the next one read."""
    here = {name: world.local for name, world in worlds.items() if world.local}
    with ExitStack() as stack:
        signs = {name: stack.enter_context(local.issuing(url)) for name, local in here.items()}
        for one, later in pairwise(here):
            repository, reader = worlds[one].outputs().repository_url, roles[later].get(Role.BUILD, "")
            stack.enter_context(here[one].read_by(here[later], repository, reader))
        yield lambda name, claims: signs[name](claims)


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
        raise BadInput(f"ci.run knows no {option} {given!r}", hint=f"--{option} is one of {', '.join(known)}")


def _names(option: str, given: str, every: dict[str, Job]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    if unknown := [name for name in names if name not in every]:
        raise BadInput(f"--{option}: there is no job {unknown[0]!r}", hint=f"there are {', '.join(every)}")
    return names
