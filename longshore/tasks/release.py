"""The rollout and its records."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.commands import kubectl
from longshore.errors import Precondition
from longshore.steps.graph import Graph, Progress, Step
from longshore.tasks import catalogue
from longshore.tasks.session import Opened
from longshore.tasks.world import World

if TYPE_CHECKING:
    from longshore.rollout.release import Releaser

HELP = {
    "environment": "an [environments.NAME] of longshore.toml (default: local)",
    "json": "one JSON document on standard output",
}


@task(help=HELP | {"allow-older": "release a commit that does not contain what a protected environment runs"})
def apply(
    context: Context, environment: str = "local", allow_older: bool = False, json: bool = False
) -> None:
    """Roll this revision out, without the checks."""
    with Opened(as_json=json) as run:
        world = World(run.settings, environment, run.runner, allow_older=allow_older)
        catalogue.guard(world, skip_checks=False)
        with world.claim("release.apply"):
            run.run(catalogue.graph(world, with_checks=False))


@task(help=HELP)
def diff(context: Context, environment: str = "local", json: bool = False) -> None:
    """Show what a release would change."""
    with Opened(as_json=json) as run:
        world = World(run.settings, environment, run.runner)
        if not world.image.digest():
            raise Precondition(
                "this revision has no image yet", hint=f"`invoke image.build -e {environment}`"
            )
        from longshore.rollout import hooks

        manifest = hooks.split(world.manifest().text)[""]  # hooks run anew each time, under other names
        text = run.runner.run(kubectl.diff(world.cluster(), manifest), check=False).stdout
        run.data(diff=text)
        run.console.line(text or "no difference")


@task(help=HELP)
def logs(context: Context, environment: str = "local", json: bool = False) -> None:
    """Follow the application's logs until interrupted."""
    with Opened(as_json=json) as run:
        cluster = World(run.settings, environment, run.runner).releaser().cluster
        run.runner.run(kubectl.follow_logs(cluster, "app.kubernetes.io/name=app"), on_line=run.console.line)


@task(help=HELP | {"holder": "the exact id of the run that holds it, as `deploy` prints it"})
def unlock(context: Context, holder: str, environment: str = "local", json: bool = False) -> None:
    """Take the lease from a run that is surely dead."""
    with Opened(as_json=json) as run:
        from longshore.rollout import lease
        from longshore.rollout.api import Api

        lease.unlock(Api(World(run.settings, environment, run.runner).cluster(), run.runner), holder)
        run.data(unlocked=holder)
        run.console.line(f"{environment} is free for the next release")


@task(help=HELP)
def status(context: Context, environment: str = "local", json: bool = False) -> None:
    """Say what serves, since when, and whether it is well."""
    with Opened(as_json=json) as run:
        from longshore.rollout import guard, records, watch
        from longshore.rollout.api import Api
        from longshore.rollout.verdict import Outcome, Workload

        releaser = World(run.settings, environment, run.runner).releaser()
        cluster = releaser.cluster
        api = Api(cluster, run.runner)
        verdict = watch.look(api, (Workload(kind="Deployment", name="app"),))[0]
        good = records.last_good(records.history(cluster, run.runner))
        uid, alarms, unread = "not for these credentials to read", None, ""
        with suppress(Precondition):  # a deployer's rights end at the namespace
            uid = guard.identity(api)
        try:
            alarms = _ringing(releaser)
        except Precondition as problem:
            unread = problem.sentence
        run.data(
            url=releaser.url, healthy=verdict.outcome is Outcome.GOOD, said=verdict.sentence, pods=verdict.pods,
            cluster=uid, alarms=alarms,
        )  # fmt: skip
        rows = [("url", releaser.url)]
        if good:
            changed = _drift(run, cluster, good.manifest)
            run.data(
                release=good.number, revision=good.revision, digest=good.digest, since=good.finished, drift=changed
            )  # fmt: skip
            rows += [
                ("release", f"{good.number}, by {good.actor}"),
                ("revision", good.revision),
                ("since", good.finished),
                ("drift", ", ".join(changed) or "none: the cluster holds what was released"),
            ]
        rows += [
            ("state", verdict.sentence), ("pods", ", ".join(verdict.pods) or "none"),
            ("alarms", unread or ", ".join(alarms or ()) or "none rings"), ("cluster", uid),
        ]  # fmt: skip
        run.console.summary(rows)


def _ringing(releaser: Releaser) -> list[str]:
    """Return the environment's alarms that ring; raises Precondition where AWS does not say."""
    from longshore.steps import aws

    with aws.errors("CloudWatch"):
        client, prefix = aws.client(releaser.environment, "cloudwatch"), f"{releaser.eks}-"
        found = client.describe_alarms(AlarmNamePrefix=prefix, MaxRecords=100)["MetricAlarms"]
        return [one["AlarmName"].removeprefix(prefix) for one in found if one["StateValue"] == "ALARM"]


def _drift(run: Opened, cluster: kubectl.Cluster, manifest: str) -> list[str]:
    """Return the objects, as `kind.name`, that differ from what was released."""
    from longshore.rollout import hooks

    text = run.runner.run(kubectl.diff(cluster, hooks.split(manifest)[""]), check=False).stdout
    found = [line.split()[1].rpartition("/")[2] for line in text.splitlines() if line.startswith("+++ ")]
    return [".".join((name.split(".")[-3], name.split(".")[-1])) for name in found]


@task(help=HELP)
def history(context: Context, environment: str = "local", json: bool = False) -> None:
    """List the recorded releases, the newest first."""
    with Opened(as_json=json) as run:
        from dataclasses import asdict

        from longshore.rollout import records

        releaser = World(run.settings, environment, run.runner).releaser()
        releases = records.history(releaser.cluster, run.runner)
        run.data(
            releases=[
                {key: value for key, value in asdict(release).items() if key != "manifest"}
                for release in releases
            ]
        )
        for release in releases:
            cause = f"  {release.cause}" if release.cause else ""
            run.console.line(
                f"{release.number:>5}  {release.finished or release.started}  {release.verdict:<11}  {release.revision}{cause}"
            )


@task(
    help=HELP
    | {
        "to": "number of the release (default: the last good one before what runs now)",
        "past-migrations": "also where a later release ran an irreversible migration",
    }
)
def rollback(
    context: Context,
    environment: str = "local",
    to: int = 0,
    past_migrations: bool = False,
    json: bool = False,
) -> None:
    """Make a recorded release serve again."""
    with Opened(as_json=json) as run:
        world = World(run.settings, environment, run.runner)
        from longshore.rollout import records
        from longshore.rollout.release import checked

        releaser = world.releaser()
        releases = records.history(releaser.cluster, run.runner)
        chosen = checked(releases, to, past_migrations=past_migrations, environment=environment)

        def work(progress: Progress) -> str:
            return releaser.return_to(chosen, progress)

        with world.claim("rollback"):
            run.run(Graph([Step(name="rollback", title=f"return to release {chosen.number}", run=work)]))


@task(help=HELP)
def url(context: Context, environment: str = "local", json: bool = False) -> None:
    """Print the public address alone."""
    with Opened(as_json=json) as run:
        address = str(World(run.settings, environment, run.runner).infra.outputs()["url"])
        run.data(url=address)
        if not json:
            print(address)
