"""The rollout and its records."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import BadInput, Failure, Precondition, StepFailed
from longshore.tasks.options import number
from longshore.tasks.session import ENVIRONMENT, JSON, Session

if TYPE_CHECKING:
    from longshore.graph.steps import Progress
    from longshore.kubernetes.api import Api
    from longshore.process.command import Command
    from longshore.rollout.records import Release
    from longshore.rollout.site import Site
    from longshore.rollout.verdict import Verdict
    from longshore.settings.model import Environment

HELP = {"environment": ENVIRONMENT, "json": JSON}


@task(help=HELP | {"allow-older": "release a commit that does not contain what a protected environment runs"})
def apply(context: Context, environment: str = "local", allow_older: bool = False, json: bool = False) -> None:
    """Roll this revision out on the infrastructure as it is, without the checks."""
    with Session(as_json=json) as session:
        from longshore.tasks import catalogue, deploy

        world = session.world(environment, allow_older=allow_older)
        catalogue.require_answers(world)
        with world.claim("release.apply"):
            report = session.run(catalogue.graph(world, with_checks=False, applies=False), world.sources)
        deploy.finish(session, world, report.values, changed="release" in report.ran)


@task(help=HELP)
def diff(context: Context, environment: str = "local", json: bool = False) -> None:
    """Show what a release would change in the cluster."""
    with Session(as_json=json) as session:
        from longshore.commands import kubectl

        world = session.world(environment)
        outputs = world.outputs()
        image = world.image.remembered(world.place(outputs))
        if image is None:
            raise Precondition("this revision has no image yet", hint=f"`invoke image.build -e {environment}`")
        manifest = world.manifest(world.target(outputs, image))  # hooks run anew each time, under other names
        command = kubectl.diff(world.cluster(outputs), manifest.lasting)
        text = _difference(session, command)
        session.data(diff=text)
        session.console.line(text or "no difference")


@task(help=HELP | {"workload": "whose logs: a name under [workloads], or a Deployment's (default: the web service's)"})
def logs(context: Context, environment: str = "local", workload: str = "", json: bool = False) -> None:
    """Follow the logs of the web service or of another workload; Ctrl-C stops."""
    with Session(as_json=json) as session:
        from longshore.commands import kubectl
        from longshore.rollout import records, workloads

        world = session.world(environment)
        cluster = world.cluster(world.outputs())
        releases = records.history(cluster, session.runner)
        shown = records.last_good(releases) or next(iter(releases), None)
        if shown is None or not shown.readable:
            raise Precondition("nothing is released yet", hint=f"`invoke deploy -e {environment}`")
        web = shown.content.asked.workload
        found = workloads.followed(shown.content.rolled_out, web)
        name = next((each for each in (workload or web, f"{web}-{workload}") if each in found), "")
        if not name:
            raise BadInput(f"no workload is called {workload}", hint=f"there is {', '.join(found)}")
        session.runner.run(kubectl.follow_logs(cluster, found[name]), on_line=session.console.line)


@task(help=HELP | {"holder": "the exact id of the run that holds the lease, as `deploy` prints it"})
def unlock(context: Context, holder: str, environment: str = "local", json: bool = False) -> None:
    """Release the lease of a run that is certainly dead."""
    with Session(as_json=json) as session:
        from longshore.kubernetes.api import Api
        from longshore.rollout import lease

        world = session.world(environment)
        lease.unlock(Api(world.cluster(world.outputs()), session.runner), holder)
        session.data(unlocked=holder)
        session.console.line(f"{environment} is free for the next release")


@task(help=HELP)
def status(context: Context, environment: str = "local", json: bool = False) -> None:
    """Show what serves, since when, and whether it is healthy."""
    with Session(as_json=json) as session:
        from longshore.kubernetes.api import Api
        from longshore.rollout import barepods, guard, records
        from longshore.rollout.pods import draining

        world = session.world(environment)
        outputs = world.outputs()
        site = world.site(outputs)
        api = Api(site.cluster, session.runner)
        good = records.last_good(records.history(site.cluster, session.runner))
        verdict, healthy = _health(api, good)
        cluster, alarms, unread = ", ".join(guard.fingerprints(api)) or guard.UNKNOWN, None, ""
        trying = barepods.under_way(api)
        try:
            alarms = _ringing(world.environment, outputs.cluster_name)
        except Precondition as problem:
            unread = problem.sentence
        session.data(
            url=site.url,
            healthy=healthy,
            said=verdict.sentence,
            pods=verdict.pods,
            draining=verdict.draining,
            canary=trying,
            cluster=cluster,
            alarms=alarms,
        )
        rows = [("url", site.url)]
        if good:
            drift, shown = None, ""
            try:
                drift = _drift(session, site, good)
                shown = ", ".join(drift) or "none: the cluster holds what was released"
            except Failure as problem:
                shown = f"unknown: {problem.sentence}"
            session.data(
                release=good.number, revision=good.revision, digest=good.digest, since=good.finished, drift=drift
            )
            rows += [
                ("release", f"{good.number}, by {good.actor}"),
                ("revision", good.revision),
                ("since", good.finished),
                ("drift", shown),
            ]
        rows += [("canary", trying)] if trying else []
        rows += [
            ("state", "; ".join(filter(None, (verdict.sentence, draining(verdict.draining))))),
            ("pods", ", ".join(verdict.pods) or "none"),
            ("alarms", unread or ", ".join(alarms or ()) or "none"),
            ("cluster", cluster),
        ]
        session.console.summary(rows)


def _health(api: Api, good: Release | None) -> tuple[Verdict, bool]:
    """Return how the Deployments of GOOD are, and if all are well; the web service alone where nothing is recorded."""
    from longshore.rollout import watch, workloads
    from longshore.rollout.asked import Asked
    from longshore.rollout.verdict import Outcome, Verdict, Workload

    content = good.content if good and good.readable else None
    web = content.asked.workload if content else Asked().workload
    items = [item for item in content.rolled_out if item["kind"] == "Deployment"] if content else []
    names = list(workloads.followed(items, web)) or [web]
    looked = {name: watch.look(api, (Workload(kind="Deployment", name=name),)) for name in names}
    well = all(each.outcome is Outcome.GOOD for each in looked.values())
    if not names[1:]:
        return looked[web], well
    sentence = "; ".join(f"{name}: {each.sentence}" for name, each in looked.items())
    pods = tuple(pod for each in looked.values() for pod in each.pods)
    drains = sum(each.draining for each in looked.values())
    return Verdict(looked[names[0]].outcome, sentence, pods, draining=drains), well


def _ringing(environment: Environment, cluster: str) -> list[str]:
    """Return the alarms of CLUSTER in state ALARM. Raises Precondition where AWS does not tell."""
    from longshore import aws

    with aws.errors("CloudWatch"):
        client, prefix = aws.client(environment, "cloudwatch"), f"{cluster}-"
        alarms = client.describe_alarms(AlarmNamePrefix=prefix, MaxRecords=100)["MetricAlarms"]
        return [alarm["AlarmName"].removeprefix(prefix) for alarm in alarms if alarm["StateValue"] == "ALARM"]


def _drift(session: Session, site: Site, release: Release) -> list[str]:
    """Return the objects, as `kind.name`, that differ from what was released."""
    from longshore.commands import kubectl

    command = kubectl.diff(site.cluster, release.content.lasting)
    lines = _difference(session, command).splitlines()
    files = [line.split()[1].rpartition("/")[2].split(".") for line in lines if line.startswith("+++ ")]
    return [f"{parts[-3]}.{parts[-1]}" for parts in files]


def _difference(session: Session, command: Command) -> str:
    """Return what COMMAND, a `kubectl diff`, prints. Raises StepFailed, with the cause, where it could not compare."""
    ended = session.runner.run(command, check=False)
    if ended.exit_code == 0 or (ended.exit_code == 1 and "+++ " in ended.stdout):
        return ended.stdout
    cause = ended.tail.strip().rpartition("\n")[2] or f"kubectl ended with {ended.exit_code}"
    raise StepFailed(f"the cluster could not be compared: {cause}", detail=ended.tail)


@task(help=HELP)
def history(context: Context, environment: str = "local", json: bool = False) -> None:
    """List the recorded releases, newest first."""
    with Session(as_json=json) as session:
        from msgspec.structs import asdict

        from longshore.rollout import records

        world = session.world(environment)
        releases = records.history(world.cluster(world.outputs()), session.runner)
        session.data(
            releases=[
                {key: value for key, value in asdict(release).items() if key != "manifest"} for release in releases
            ]
        )
        for release in releases:
            when, more = release.finished or release.started, f"  {release.cause}" if release.cause else ""
            more += f"  promoted from {release.promoted}" if release.promoted else ""
            session.console.line(f"{release.number:>5}  {when}  {release.verdict:<11}  {release.revision}{more}")


@task(
    help=HELP
    | {
        "to": "number of the release (default: the last good one before the current one)",
        "past-migrations": "also if a later release ran an irreversible migration",
    }
)
def rollback(
    context: Context, environment: str = "local", to: str = "0", past_migrations: bool = False, json: bool = False
) -> None:
    """Return to a recorded release."""
    with Session(as_json=json) as session:
        from longshore.rollout import records, release

        wanted = number("to", to, int, 0, 1_000_000_000)
        world = session.world(environment)
        site = world.site(world.outputs())
        releases = records.history(site.cluster, session.runner)
        chosen = records.choose(releases, wanted, past_migrations=past_migrations, environment=environment)

        def work(progress: Progress) -> str:
            return release.return_to(site, chosen, progress).note

        with world.claim("rollback"):
            guard = partial(world.guard, commit="none")
            session.work(world, "rollback", f"return to release {chosen.number}", work, guard=guard)


@task(help=HELP)
def url(context: Context, environment: str = "local", json: bool = False) -> None:
    """Print the public URL."""
    with Session(as_json=json) as session:
        address = session.world(environment).outputs().url
        session.data(url=address)
        if not json:
            session.publish(address)
