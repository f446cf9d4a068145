"""The graph itself: its steps, why a step would run, what a command would do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks.session import ENVIRONMENT, JSON, Session

if TYPE_CHECKING:
    from longshore.graph.steps import Graph
    from longshore.snapshot.snapshot import Snapshot

HELP = {"environment": ENVIRONMENT, "json": JSON}
BRIEF = 3  # changed inputs that a dry run shows


def show(session: Session, graph: Graph, sources: Callable[[], Snapshot], forced: Iterable[str] = ()) -> None:
    """Print which steps of GRAPH would run and why; run none."""
    from longshore.graph.explain import explain as reasons

    cache = session.cache(sources, forced)
    steps = reasons(graph, graph.steps, cache)
    cache.close()
    runs = [why for why in steps if why.runs]
    later = [why for why in steps if why.after]
    session.data(
        steps=[why.data() for why in steps],
        would_run=[why.step for why in runs],
        would_follow=[why.step for why in later],
        off=graph.off,
    )
    for line in graph.left_out:
        session.console.line(line)
    for why in (*runs, *later):
        for line in why.lines()[: None if len(why.changed) <= BRIEF else BRIEF + 1]:
            session.console.line(line)
    rest = len(steps) - len(runs) - len(later)
    session.console.line(f"{len(runs)} would run, {len(later)} depend on that, {rest} up to date; nothing was run")


@task(positional=["step"], help=HELP | {"step": "name of a step, or of a group: lint, test, scan"})
def explain(context: Context, step: str, environment: str = "local", json: bool = False) -> None:
    """Say why STEP would run, or why not."""
    with Session(as_json=json) as session:
        from longshore.graph.explain import explain as reasons
        from longshore.tasks import catalogue

        world = session.world(environment)
        graph = catalogue.graph(world)
        if step in graph.off:
            session.data(steps=[], off={step: graph.off[step]})
            session.console.line(*graph.only(step).left_out)
            return
        cache = session.cache(world.sources)
        steps = reasons(graph, graph.find(step), cache)
        cache.close()
        session.data(steps=[why.data() for why in steps])
        for why in steps:
            for line in why.lines():
                session.console.line(line)


@task(help=HELP | {"dot": "in Graphviz's language: `invoke graph --dot | dot -Tsvg`"})
def graph(context: Context, environment: str = "local", dot: bool = False, json: bool = False) -> None:
    """Show the steps of a deployment and what each needs."""
    with Session(as_json=json) as session:
        from longshore.graph import drawing
        from longshore.tasks import catalogue

        graph = catalogue.graph(session.world(environment))
        fields = ("name", "title", "group", "needs", "cores", "reports")
        session.data(steps=[{field: getattr(step, field) for field in fields} for step in graph.order()], off=graph.off)
        if not json:
            session.publish("\n".join(drawing.dot(graph) if dot else drawing.tree(graph)))
