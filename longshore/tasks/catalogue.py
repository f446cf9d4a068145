"""The steps of a deployment, declared on one page: what each needs, and when it has nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshore.errors import Precondition

if TYPE_CHECKING:  # each is imported where it is used: `invoke --list` has a budget
    from longshore.runner import Runner
    from longshore.settings import Settings
    from longshore.steps.graph import Graph, Progress, Step
    from longshore.tasks.world import World


def graph(world: World, *, with_checks: bool = True) -> Graph:
    """Return all that brings the revision in the working tree to serve in WORLD's environment."""
    from longshore.steps import checks, own
    from longshore.steps.graph import Graph

    found = checks.steps(world.settings, world.runner) if with_checks else ()
    parts = _parts(world)
    here = {part.name for part in parts}
    delivery = _delivery(world, checks.GROUPS if with_checks else (), here)
    return Graph(own.join(world.settings, world.runner, [*found, *parts, *delivery]))


def gates(settings: Settings, runner: Runner) -> Graph:
    """Return the gates alone: what needs no environment."""
    from longshore.steps import checks, own
    from longshore.steps.graph import Graph

    return Graph(own.join(settings, runner, checks.steps(settings, runner), gates_only=True))


def _delivery(world: World, gates: tuple[str, ...], here: set[str]) -> tuple[Step, ...]:
    from longshore.steps.graph import Step
    from longshore.steps.infra import READS
    from longshore.steps.inputs import Inputs

    infra, image = world.infra, world.image

    def needs(*names: str) -> tuple[str, ...]:
        return tuple(name for name in names if name in here)

    def roll_out(progress: Progress) -> str:
        manifest = world.manifest()
        return world.releaser().run(manifest, world.target(), world.secrets, progress)

    name, app = world.environment.name, world.settings.application
    image_reads = (app.path, app.dockerfile, app.requirements, ".dockerignore")
    return (
        Step(
            name="infra", title="apply terraform/", needs=needs("aws", "packages"), settled=infra.settled, run=infra.bring_up, scope=name,
            reads=Inputs(
                files=(*READS, world.environment.variables_file), ignored=True, tools=(),
                settings={"account": world.environment.account, "variables": dict(world.environment.variables)},
            ),
        ),
        Step(
            name="image", title="build and push the image", needs=("infra", *needs("buildkit", "base-image", "registry")), scope=name,
            settled=image.settled, run=lambda progress: image.build(infra.outputs(), progress),
            reads=Inputs(files=image_reads, ignored=True, tools=(), settings={"base image": image.base}),
        ),
        Step(
            name="release", title="roll out", needs=(*gates, "image", *needs("node", "edge")), settled=world.release_settled, run=roll_out,
            scope=name,
            reads=Inputs(
                files=("k8s",), ignored=True, tools=(),
                settings={"overlay": world.environment.overlay, "namespace": world.environment.namespace},
                outputs={"image": image.digest, "infra": lambda: infra.memory.get("outputs")},
                observed={"revision": lambda: world.source.revision},
            ),
        ),
    )  # fmt: skip


def _parts(world: World) -> tuple[Step, ...]:
    """Return the parts of the environment that run on this machine as steps; none for an environment in AWS."""
    if world.place is None:
        return ()
    from longshore.local.parts import Part, parts
    from longshore.steps.graph import Step
    from longshore.steps.inputs import Inputs

    applied = world.infra.settled()

    def step(part: Part) -> Step:
        def settled() -> str | None:
            # The edge serves what the load balancer's listeners say, and those may just have changed.
            stale = part.name == "edge" and not applied
            return "up" if not stale and part.ready() else None

        outputs = {"infra": lambda: world.infra.memory.get("outputs")} if part.name == "edge" else {}
        reads = Inputs(tools=(), outputs=outputs) if outputs else None
        return Step(
            name=part.name, title=part.title, needs=part.needs, settled=settled, run=part.start, reads=reads, scope=world.environment.name
        )  # fmt: skip

    return tuple(step(part) for part in parts(world.settings, world.environment, world.runner))


def guard(world: World, *, skip_checks: bool) -> None:
    """Raise Precondition where a protected environment would get less than a committed and checked revision."""
    if not world.environment.protected:
        return
    name = world.environment.name
    if skip_checks:
        raise Precondition(
            f"{name} is protected: its checks cannot be skipped", hint="leave --skip-checks out"
        )
    if world.source.dirty:
        raise Precondition(
            f"{name} is protected and the working tree has uncommitted work",
            hint="commit it, push it, and deploy the commit",
        )
