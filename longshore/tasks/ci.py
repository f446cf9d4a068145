"""The pipelines' files, made from the settings."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import BadInput, Precondition, StepFailed
from longshore.tasks.session import JSON, Session

HELP = {"json": JSON}


@task(help=HELP)
def generate(context: Context, json: bool = False) -> None:
    """Write .gitlab-ci.yml and GitHub's workflow from longshore.toml."""
    with Session(as_json=json) as session:
        from longshore.files import write_atomically
        from longshore.pipeline import files

        _require_providers(session)
        written = []
        for path, text in files.rendered(session.settings).items():
            target = session.settings.root / path
            if target.exists() and target.read_bytes() == text.encode():
                continue
            write_atomically(target, text)
            target.chmod(0o644)
            written.append(path)
        session.data(written=written)
        session.console.line(f"written: {', '.join(written)}" if written else "the pipelines' files are up to date")


@task(help=HELP)
def check(context: Context, json: bool = False) -> None:
    """Compare the pipelines' files with what longshore.toml gives."""
    with Session(as_json=json) as session:
        from longshore.pipeline import files

        _require_providers(session)
        text = files.difference(session.settings, session.settings.root)
        session.data(difference=text)
        if text:
            sentence = "the pipelines' files are not those that longshore.toml gives"
            raise StepFailed(sentence, detail=text, hint="`invoke ci.generate` writes them")
        session.console.line("the pipelines' files are up to date")


@task(help=HELP | {"environment": "whose plan the note is about"})
def note(context: Context, environment: str = "local", json: bool = False) -> None:
    """Write the last run's report as the one note of the merge request; a failure to is a warning."""
    with Session(as_json=json) as session:
        from longshore.pipeline import notes

        session.settings.environment(environment)
        report, written = session.settings.work / "report" / "report.md", ""
        try:
            if not report.exists():
                raise Precondition("no run has left a report here", hint="`invoke infra.plan` leaves one")
            written = notes.write(session.settings.job, environment, report.read_text(encoding="utf-8"))
        except Precondition as problem:
            session.console.sentence(f"no note: {problem.sentence}; {problem.hint}")
        else:
            session.console.line(f"note {written}")
        session.data(note=written)


CHECK = "ask GitLab and GitHub which of them are set, with the tokens in GITLAB_TOKEN and GH_TOKEN"


@task(help=HELP | {"check": CHECK})
def variables(context: Context, check: bool = False, json: bool = False) -> None:
    """Show which variables the project needs at GitLab or GitHub, or whether they are set there."""
    with Session(as_json=json) as session:
        if check:
            _require_providers(session)
            _audit(session)
            return
        import msgspec

        from longshore.pipeline import variables as needed

        found, advice = needed.variables(session.settings), needed.advice(session.settings)
        session.data(variables=msgspec.to_builtins(found), advice=advice)
        for variable in found:
            marks = [
                "GitLab" if variable.provider == "gitlab" else "",
                "optional" if variable.optional else "",
                "masked and hidden (GitHub: a secret)" if variable.secret else "",
                "protected" if variable.protected else "not protected: branches need it",
                f"for {', '.join(variable.scopes)}" if variable.scopes else "for the whole project",
            ]
            session.console.sentence("; ".join(filter(None, marks)), f"{variable.name}  ")
            session.console.line(f"    {variable.meaning}")  # whole: one has a command to copy
        for sentence in advice:
            session.console.sentence(sentence)


def _audit(session: Session) -> None:
    """Tell what is set at each provider of the settings, and fail for what is missing there or cannot be told."""
    from msgspec import to_builtins

    from longshore.pipeline import audit

    ask = {"gitlab": audit.gitlab, "github": audit.github}
    found, unknown = {}, []
    for provider in session.settings.pipeline.providers:
        try:
            found[provider] = ask[provider](session.settings)
        except Precondition as problem:
            unknown.append(problem)
    session.data(found=to_builtins(found))
    for provider, facts in found.items():
        for fact in facts:
            mark = "✔" if fact.fine else "✘" if fact.fine is False else "?"
            session.console.sentence(f"{provider}: {fact.what}" + f": {fact.do}" * (not fact.fine), f"  {mark} ")
    if unknown:
        raise Precondition("; ".join(each.sentence for each in unknown), hint=unknown[0].hint)
    wrong = [fact for facts in found.values() for fact in facts if not fact.fine]
    if missing := [fact.what for fact in wrong if fact.fine is False]:
        raise Precondition(f"missing: {', '.join(missing)}", hint="`invoke ci.variables` says what each of them is")
    if wrong:
        hint = (
            "a token of the group's owner or the server's administrator (GitLab), or the organization's (GitHub), tells"
        )
        raise Precondition(f"not seen: {', '.join(fact.what for fact in wrong)}", hint=hint)


@task(help=HELP | {"repository": "where to push it, such as registry.example.com/shop/ci (GitLab: the project's own)"})
def image(context: Context, repository: str = "", json: bool = False) -> None:
    """Build and push the image that GitLab's jobs run in, unless the registry has it; print it with its digest."""
    with Session(as_json=json) as session:
        import base64
        from functools import partial

        from longshore.commands import docker
        from longshore.graph.steps import Graph, Progress, Result, Step, Values
        from longshore.image import job_image

        job, pinned = session.settings.job, session.settings.pipeline.image
        place = repository or (f"{job.registry}/ci" if job.registry else pinned.partition("@")[0])
        if not place:
            raise BadInput("nobody says where to push it", hint="--repository=registry.example.com/shop/ci")
        login = base64.b64encode(job.registry_login.reveal().encode()).decode() if job.registry_login else ""

        def build(progress: Progress, _: Values) -> Result:
            made = job_image.provide(
                place,
                session.snapshot(),
                session.runner,
                partial(docker.build, platform="", contexts={}, deadline=1200.0),
                progress,
                own=session.settings.host.docker_config,
                login="" if repository else login,
                say=session.console.line,
            )
            return Result(note=made, value=made)

        step = Step(name="job-image", title="build the image that jobs run in", run=build)
        made = session.run(Graph([step]), session.snapshot).values.get("job-image", str)
        session.data(image=made, pinned=pinned == made)
        if pinned != made:
            session.console.line(f'longshore.toml names {"another" if pinned else "none"}: `image = "{made}"` under')
            session.console.line("[pipeline], then `invoke ci.generate` and a commit, have the jobs run in it")
        if not json:
            session.publish(made)


@task(
    help=HELP
    | {
        "environment": "an environment on this machine, which runs; several with commas, each promoted from the last",
        "provider": "whose file is run: gitlab or github",
        "event": "why the pipeline starts: push (to the default branch), merge_request, closed (one is) or schedule",
        "jobs": "these jobs alone, separated by commas",
        "by-hand": "jobs that a person starts, separated by commas",
    }
)
def run(
    context: Context,
    environment: str = "local",
    provider: str = "gitlab",
    event: str = "push",
    jobs: str = "",
    by_hand: str = "",
    json: bool = False,
) -> None:
    """Run the pipeline of this commit on this machine, each job in a clone of its own and as its role."""
    with Session(as_json=json) as session:
        from longshore.tasks import rehearse

        rehearse.run(session, environment, provider, event, jobs, by_hand)


def _require_providers(session: Session) -> None:
    if not session.settings.pipeline.providers:
        hint = '`providers = ["gitlab"]` under [pipeline], or "github", or both'
        raise BadInput("longshore.toml names no provider whose pipeline is to be made", hint=hint)
