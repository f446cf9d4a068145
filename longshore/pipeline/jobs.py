"""The jobs, derived from the settings. Their order is the order in which they are read, and drawn."""

from __future__ import annotations

from msgspec.structs import replace

from longshore.pipeline import deadlines
from longshore.pipeline.model import Artifact, Event, Job, Kept, Role, Setup
from longshore.settings.model import Environment, Settings

STAGES = ("check", "plan", "apply", "build", "rollout")
GATES = {"lint": "lint", "tests": "test", "scan": "scan"}  # jobs, and the group of steps that each runs
PUSHED = frozenset({Event.BRANCH, Event.REQUEST, Event.DEFAULT})
CHECKED = PUSHED | {Event.FORK}
DEFAULT = frozenset({Event.DEFAULT})
REPORT = ".longshore/report"
FINDINGS = Artifact(paths=(f"{REPORT}/findings.sarif",), kind="sarif")
EVIDENCE = Artifact(paths=(REPORT,))
VERIFIED = ".longshore/environments/{}/verified.json"  # what a release there verified


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of SETTINGS' pipelines. An environment's jobs come after those of the one before it.

    The image is built for the first one; each other gets what the one before it verified.
    """
    environments = [settings.environment(name) for name in settings.pipeline.environments]
    alone = len(environments) == 1
    found = [*_checks(settings)]
    earlier = ""
    for environment in environments:
        end = "" if alone else f"-{environment.name}"
        last = environment is environments[-1]
        delivered = _delivery(settings, environment, end, earlier, by_hand=last and not alone)
        found += [*_infrastructure(settings, environment, end), *delivered]
        earlier = environment.name
    found += _review(settings)
    return tuple(sorted(found, key=lambda job: STAGES.index(job.stage)))


def gates_on(settings: Settings) -> tuple[str, ...]:
    """Return the jobs of the gates that are not off."""
    return tuple(name for name, group in GATES.items() if group not in settings.gates.off)


def gates_off(settings: Settings) -> dict[str, str]:
    """Return the jobs that the pipelines do without since their gates are off, and why."""
    return {name: settings.gates.off[group] for name, group in GATES.items() if group in settings.gates.off}


def _checks(settings: Settings) -> list[Job]:
    suites = settings.gates.tests
    junit = tuple(f"{REPORT}/junit-{name}.xml" for name in suites)
    coverage = tuple(f"{REPORT}/coverage-{name}.xml" for name in suites)
    kept = {
        "lint": (Artifact(paths=(f"{REPORT}/code-quality.json",), kind="codequality"), FINDINGS),
        "tests": (
            Artifact(paths=junit, kind="junit"),
            *(Artifact(paths=(path,), kind="coverage") for path in coverage[-1:]),
        ),
        "scan": (Artifact(paths=(f"{REPORT}/bandit.json", f"{REPORT}/dependencies.json")), FINDINGS),
    }
    theirs = {name: settings.gates.of(group) for name, group in GATES.items() if settings.gates.of(group).run}
    for name, gate in theirs.items():  # what it writes is its own, and plain files to us
        kept[name] = (Artifact(paths=tuple(gate.reports)),) if gate.reports else ()
    titles = {
        "lint": "style and types",
        "tests": "the unit tests",
        "scan": "insecure code, secrets, vulnerable dependencies",
    }
    # Each suite prints a total; the last one of the settings is the service's own, and so is its report.
    figure = rf"test-{[*suites][-1]} .* (\d+)% covered" if suites and "tests" not in theirs else ""
    gates = [
        Job(
            name=name,
            stage="check",
            title=titles[name],
            script=(f"nox -s {name}",),
            events=CHECKED,
            kept=Kept(artifacts=kept[name]) if kept[name] else None,
            coverage=figure if name == "tests" else "",
            minutes=deadlines.gate(theirs[name].deadline if name in theirs else 0),
        )
        for name in gates_on(settings)
    ]
    validate = Job(
        name="validate",
        stage="check",
        title="Terraform's own check of terraform/",
        script=("invoke infra.validate",),
        events=CHECKED,
        setup=Setup.INVOKE,
    )
    if not settings.pipeline.image:
        return [*gates, validate]
    tools = Job(
        name="job-image",
        stage="check",
        title="the image that jobs run in, unless the registry has it",
        script=("invoke ci.image",),
        events=DEFAULT,
        setup=Setup.DOCKER,
        minutes=30,
        provider="gitlab",
    )
    return [*gates, validate, tools]


def _infrastructure(settings: Settings, environment: Environment, end: str) -> list[Job]:
    name = environment.name
    folder = f".longshore/environments/{name}"
    saved = Artifact(paths=(f"{folder}/plan.tfplan", f"{folder}/plan.json"))
    counts = Artifact(paths=(f"{REPORT}/terraform.json",), kind="terraform")
    return [
        Job(
            name=f"plan{end}",
            stage="plan",
            title="what Terraform would change",
            # The role only reads, and `apply` refuses a stale plan.
            script=(f"invoke infra.plan -e {name} --no-lock", f"invoke ci.note -e {name}"),
            events=PUSHED,
            setup=Setup.INVOKE,
            role=Role.PLAN,
            environment=name,
            needs=("validate",),
            kept=Kept(artifacts=(saved, counts), days=1, always=False, secret=True),
        ),
        Job(
            name=f"drift{end}",
            stage="plan",
            title="what was changed by hand, or waits to be applied",
            script=(f"invoke infra.drift -e {name} --no-lock",),
            events=frozenset({Event.SCHEDULE}),
            setup=Setup.INVOKE,
            role=Role.PLAN,
            environment=name,
        ),
        Job(
            name=f"apply{end}",
            stage="apply",
            title="exactly that plan",
            script=(f"invoke infra.apply -e {name}",),
            events=DEFAULT,
            setup=Setup.INVOKE,
            role=Role.APPLY,
            environment=name,
            needs=(*gates_on(settings), f"plan{end}"),
            receives=(f"plan{end}",),
            by_hand=True,
            exclusive=True,
            history=True,
            minutes=deadlines.APPLY,
        ),
    ]


def _review(settings: Settings) -> list[Job]:
    """Return the jobs of review environments: they deliver nothing, and what delivers does not wait for them."""
    review = settings.pipeline.review
    if review is None:
        return []
    environment = settings.environment(review.environment)
    shared = {"stage": "rollout", "role": Role.REVIEW, "environment": environment.name}
    return [
        Job(
            name="review",
            title="the branch, live in an environment of its own",
            script=("invoke review.deploy",),
            events=frozenset({Event.REQUEST}),
            setup=Setup.DOCKER,
            needs=gates_on(settings),
            exclusive=True,
            minutes=deadlines.build(settings) + deadlines.rollout(environment),
            kept=Kept(artifacts=(EVIDENCE, Artifact(paths=(f"{REPORT}/deploy.env",), kind="dotenv")), secret=True),
            serves=True,
            ends_with="review-stop",
            hours=review.hours,
            **shared,  # type: ignore[arg-type]
        ),
        Job(
            name="review-stop",
            title="the end of that environment, with its merge request",
            script=("invoke review.stop",),
            events=frozenset({Event.CLOSED}),
            setup=Setup.INVOKE,
            exclusive=True,
            minutes=deadlines.ending(environment),
            ends=True,
            **shared,  # type: ignore[arg-type]
        ),
        Job(
            name="review-prune",
            title="the end of those whose time is over",
            script=("invoke review.prune",),
            events=frozenset({Event.SCHEDULE}),
            setup=Setup.INVOKE,
            minutes=8 * deadlines.ending(environment),
            **shared,  # type: ignore[arg-type]
        ),
    ]


def _delivery(settings: Settings, environment: Environment, end: str, earlier: str, *, by_hand: bool) -> list[Job]:
    """Return the jobs that bring a revision to ENVIRONMENT; the image is the one that EARLIER verified, if that is."""
    name = environment.name
    url = Artifact(paths=(f"{REPORT}/deploy.env",), kind="dotenv")
    verified = Artifact(paths=(VERIFIED.format(name),))
    follows = settings.pipeline.environments[-1] != name
    evidence = Kept(artifacts=(EVIDENCE,), days=30, secret=True)
    setup = Setup.INVOKE if earlier else Setup.DOCKER
    shared = {"setup": setup, "environment": name, "events": DEFAULT, "exclusive": True, "history": True}
    promotion = f"promote --from {earlier} -e {name} --from-job"
    image = (
        Job(
            name=f"promote{end}",
            stage="rollout",  # a job's stage is not before that of what it needs
            title=f"the image that {earlier} verified, unless the registry has it",
            script=(f"invoke image.{promotion}",),
            role=Role.BUILD,
            needs=(*gates_on(settings), f"rollout-{earlier}"),
            receives=(f"rollout-{earlier}",),
            minutes=deadlines.build(settings),
            # What was verified, handed on once more: `rollout` asks no cluster but its own.
            kept=Kept(artifacts=(Artifact(paths=(VERIFIED.format(earlier),)),), days=30, always=False, secret=True),
            **shared,  # type: ignore[arg-type]
        )
        if earlier
        else Job(
            name=f"build{end}",
            stage="build",
            title="the image, unless the registry has it",
            script=(f"invoke image.push -e {name}",),
            role=Role.BUILD,
            needs=gates_on(settings),
            minutes=deadlines.build(settings),
            kept=Kept(
                artifacts=(Artifact(paths=(f".longshore/environments/{name}/image.json",)),), always=False, secret=True
            ),
            **shared,  # type: ignore[arg-type]
        )
    )
    return [
        image,
        Job(
            name=f"rollout{end}",
            stage="rollout",
            title="the release, verified; unless it serves already",
            script=(f"invoke {promotion}" if earlier else f"invoke release.apply -e {name}",),
            role=Role.DEPLOY,
            needs=(*gates_on(settings), image.name),
            receives=(image.name,),
            by_hand=by_hand,
            minutes=deadlines.rollout(environment),
            kept=replace(evidence, artifacts=(EVIDENCE, *((verified,) if follows else ()), url)),
            serves=True,
            **shared,  # type: ignore[arg-type]
        ),
        Job(
            name=f"rollback{end}",
            stage="rollout",
            title="back to the last good release",
            script=(f"invoke rollback -e {name}",),
            role=Role.DEPLOY,
            by_hand=True,
            apart=True,
            minutes=deadlines.rollout(environment),
            kept=evidence,
            **shared,  # type: ignore[arg-type]
        ),
    ]
