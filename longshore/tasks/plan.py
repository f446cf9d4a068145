"""The graph itself: what there is, why a step would run, what a command would do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

if TYPE_CHECKING:
    from longshore.steps.graph import Graph
    from longshore.tasks.session import Opened

HELP = {
    "environment": "an [environments.NAME] of longshore.toml (default: local)",
    "json": "one JSON document on standard output",
}


def show(run: Opened, graph: Graph, forced: Iterable[str] = ()) -> None:
    """Print which steps of GRAPH would run and why; run none."""
    from longshore.steps import explain

    cache = run.cache(forced)
    found = explain.plan(graph, graph.steps, cache)
    cache.close()
    runs = [one.step for one in found if one.runs]
    fed = [
        step for step in graph.steps if step not in runs and any(step in graph.fed_by(name) for name in runs)
    ]
    run.data(steps=[one.data() for one in found], would_run=runs, would_follow=fed)
    for one in found:
        if one.runs:
            for line in one.lines()[: None if len(one.changed) <= 3 else 4]:
                run.console.line(line)
        elif one.step in fed:
            run.console.line(
                f"{one.step} is decided then: it reads what comes out of {', '.join(n for n in runs if one.step in graph.fed_by(n))}"
            )
    rest = len(found) - len(runs) - len(fed)
    run.console.line(
        f"{len(runs)} would run, {len(fed)} decided on the way, {rest} up to date; nothing was run"
    )


@task(positional=["step"], help=HELP | {"step": "name of a step, or of a group: lint, test, scan"})
def explain(context: Context, step: str, environment: str = "local", json: bool = False) -> None:
    """Say why STEP would run, or why it would not."""
    from longshore.steps import explain as explaining
    from longshore.tasks import catalogue
    from longshore.tasks.session import Opened
    from longshore.tasks.world import World

    with Opened(as_json=json) as run:
        whole = catalogue.graph(World(run.settings, environment, run.runner))
        cache = run.cache()
        found = explaining.plan(whole, whole.find(step), cache)
        cache.close()
        run.data(steps=[one.data() for one in found])
        for one in found:
            for line in one.lines():
                run.console.line(line)


@task(help=HELP | {"dot": "in the language of Graphviz: `invoke graph --dot | dot -Tsvg`"})
def graph(context: Context, environment: str = "local", dot: bool = False, json: bool = False) -> None:
    """Show the steps of a deployment and what they need."""
    from longshore.steps import drawing
    from longshore.tasks import catalogue
    from longshore.tasks.session import Opened
    from longshore.tasks.world import World

    with Opened(as_json=json) as run:
        whole = catalogue.graph(World(run.settings, environment, run.runner))
        run.data(
            steps=[
                {"name": s.name, "title": s.title, "group": s.group, "needs": s.needs, "cores": s.cores, "reports": s.reports}
                for s in whole.order()
            ]
        )  # fmt: skip
        if not json:
            print("\n".join(drawing.dot(whole) if dot else drawing.tree(whole)))
