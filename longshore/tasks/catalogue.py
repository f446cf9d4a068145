"""The steps of a deployment, on one page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from msgspec import to_builtins

from longshore.errors import BadInput, Precondition, StepFailed
from longshore.gates import own, steps
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Graph, Progress, Result, Step, Values
from longshore.image import procfile
from longshore.image.build import Place
from longshore.infra.infra import READS
from longshore.infra.outputs import Applied
from longshore.infra.terraform import derived
from longshore.process.runner import Runner
from longshore.rollout.promotion import Promotion
from longshore.settings.gates import GROUPS
from longshore.settings.mistakes import FILE
from longshore.settings.model import Settings
from longshore.settings.project import Application
from longshore.snapshot.snapshot import Snapshot
from longshore.tasks import beforehand
from longshore.tasks.world import World

Start = Callable[[Progress], str | None]


def graph(world: World, *, with_checks: bool = True, applies: bool = True) -> Graph:
    """Return everything that brings the run's revision to serve in WORLD's environment.

    Unless it APPLIES, and the settings approve of that, a run takes the infrastructure as it is.
    """
    settings, runner, sources = world.settings, world.runner, world.sources
    gates = steps.steps(settings, runner, sources) if with_checks else ()
    parts = _parts(world)
    started = {part.name for part in parts}

    def present(*names: str) -> tuple[str, ...]:
        return tuple(name for name in names if name in started)

    delivery = (
        _infra(world, present("aws", "packages"), applies=applies and world.environment.approve == "auto"),
        _promoted(world, world.promotion, ("infra", *present("registry")))
        if world.promotion
        else _image(world, ("infra", *present("buildkit", "base-image", "registry"))),
        _release(world, (*(GROUPS if with_checks else ()), "infra", "image", *present("node", "edge"))),
    )
    return Graph(own.join(settings, runner, sources, [*gates, *parts, *delivery]), settings.gates.off)


def gates(settings: Settings, runner: Runner, sources: Callable[[], Snapshot]) -> Graph:
    """Return the gates alone: what needs no environment."""
    _require_service(settings, sources(), always=False)
    checks = steps.steps(settings, runner, sources)
    return Graph(own.join(settings, runner, sources, checks, gates_only=True), settings.gates.off)


def _require_service(settings: Settings, sources: Snapshot, *, always: bool = True) -> None:
    """Raise BadInput unless there is something to check and to build: a check of nothing would pass.

    Where nothing is built, not ALWAYS, a project may do without what its settings do not name.
    """
    for key in ("path", "dockerfile"):
        value = getattr(settings.application, key)
        default = value == getattr(Application(), key)
        named = not default or (always and key != "dockerfile")  # without one, Longshore makes it
        there = value == "." or any(name == value or name.startswith(f"{value}/") for name in sources.entries)
        if named and not there:
            sentence = f"{FILE}: {key} under [application] is {value}, which the sources do not have"
            raise BadInput(sentence, hint="it is relative to the project's root folder; git has to know it")


def require_answers(world: World) -> None:
    """Raise BadInput unless the sources say what to build and what to run: asked before anything is executed."""
    if not world.promotion:
        _require_service(world.settings, world.snapshot)
    _ = world.workloads, world.promotion or world.image.made


def refuse_skipped_checks(world: World) -> None:
    """Raise BadInput where the environment is protected."""
    if world.environment.protected:
        name = world.environment.name
        raise BadInput(f"{name} is protected: its checks cannot be skipped", hint="leave out --skip-checks")


def _infra(world: World, needs: tuple[str, ...], *, applies: bool) -> Step:
    infra, environment = world.infra, world.environment

    def settled(_: Values) -> Result | None:
        # What is applied after a review, somebody else may have applied meanwhile: it is read each time.
        applied = infra.remembered() if environment.approve == "auto" else None
        return Result(note=applied.note, value=applied) if applied else None

    def run(progress: Progress, _: Values) -> Result:
        applied = infra.bring_up(progress) if applies else infra.read()
        return Result(note=applied.note, value=applied)

    reads = Inputs(
        files=(*READS, environment.variables_file),
        tools=(),
        settings={
            "account": environment.account,
            "region": environment.region,
            "variables": dict(environment.variables),
            "what follows from other settings": dict(derived(world.settings, environment)),
        },
    )
    return Step(
        name="infra",
        title="apply terraform/" if applies else "read what terraform/ made",
        run=run,
        needs=needs,
        reads=reads,
        settled=settled,
        guard=world.guard,
        scope=environment.name,
    )


def _image(world: World, needs: tuple[str, ...]) -> Step:
    image = world.image

    def place(values: Values) -> Place | None:
        return world.place(values.get("infra", Applied).outputs) if values.known("infra") else None

    def settled(values: Values) -> Result | None:
        where = place(values)
        if built := image.remembered(where):
            return Result(note=f"already built: {built.digest[:19]}", value=built)
        if where and not world.stopped:
            beforehand.do(world.snapshot.checkout)  # while the registry is asked: most often it has none
            with contextlib.suppress(Precondition):  # without a login: `run` says so
                if found := image.find(where):
                    return Result(note=f"in the registry already: {found.digest[:19]}", value=found)
        return None

    def run(progress: Progress, values: Values) -> Result:
        built = image.provide(world.place(values.get("infra", Applied).outputs), progress)
        return Result(note=built.note, value=built)

    return Step(
        name="image",
        title="build and push the image",
        run=run,
        needs=needs,
        reads=Inputs(
            dockerfile=world.settings.application.dockerfile,
            tools=(),
            settings={
                "base image": image.base,
                "application.contract": image.added,
                "Dockerfile made": lambda: image.made,
            },
        ),
        settled=settled,
        guard=world.guard,
        scope=world.environment.name,
    )


def _promoted(world: World, promotion: Promotion, needs: tuple[str, ...]) -> Step:
    """Return the step `image` where another environment verified the image: it is copied as it is, and never built."""

    def place(values: Values) -> Place:
        return world.place(values.get("infra", Applied).outputs)

    def settled(values: Values) -> Result | None:
        if values.known("infra") and not world.stopped:
            with contextlib.suppress(Precondition, StepFailed):  # `run` says so
                if found := promotion.find(place(values), world.image.logins.ecr):
                    return Result(note=f"in the registry already: {found.digest[:19]}", value=found)
        return None

    def run(progress: Progress, values: Values) -> Result:
        pause, login = world.runner.cancellation.wait, world.image.logins.ecr
        copied = promotion.copy(place(values), login, pause, progress)
        return Result(note=copied.note, value=copied)

    return Step(
        name="image",
        title=f"copy the image that {promotion.verified.environment} verified",
        run=run,
        needs=needs,
        reads=Inputs(tools=(), observed={"verified": promotion.verified.digest}),
        settled=settled,
        guard=world.guard,
        scope=world.environment.name,
    )


def _release(world: World, needs: tuple[str, ...]) -> Step:
    environment = world.environment
    reads = Inputs(
        files=("k8s", procfile.NAME),
        tools=(),
        settings={
            "overlay": environment.overlay,
            "namespace": environment.namespace,
            "workloads": to_builtins(world.settings.workloads_in(environment)),
        },
        outputs=("image", "infra"),
        observed={"revision": lambda: world.snapshot.revision},
    )
    return Step(
        name="release",
        title="roll out",
        run=world.release,
        needs=needs,
        reads=reads,
        settled=world.released,
        guard=world.guard,
        scope=environment.name,
    )


def _parts(world: World) -> tuple[Step, ...]:
    """Return the parts of the environment that run on this machine as steps; none in AWS, or if it is not ours."""

    def step(name: str, title: str, needs: tuple[str, ...], ready: Callable[[], bool], start: Start) -> Step:
        reads = Inputs(tools=(), outputs=("infra",)) if name == "edge" else None

        def settled(values: Values) -> Result | None:
            # The edge serves what the load balancer's listeners say, and those may just have changed.
            return Result(note="up") if not (reads and "infra" in values.fresh) and ready() else None

        def run(progress: Progress, _: Values) -> Result:
            return Result(note=start(progress) or "")

        return Step(
            name=name, title=title, run=run, needs=needs, reads=reads, settled=settled, scope=world.environment.name
        )

    parts = world.local.parts if world.local and world.environment.ours else ()
    return tuple(step(part.name, part.title, part.needs, part.ready, part.start) for part in parts)
