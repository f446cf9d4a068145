"""The application's image."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks import catalogue
from longshore.tasks.session import Opened
from longshore.tasks.world import World

HELP = {
    "environment": "whose registry it goes to (default: local)",
    "json": "one JSON document on standard output",
}


@task(help=HELP)
def build(context: Context, environment: str = "local", json: bool = False) -> None:
    """Build the image, push it, print its digest."""
    with Opened(as_json=json) as run:
        world = World(run.settings, environment, run.runner)
        run.run(catalogue.graph(world, with_checks=False).only("image"))
        run.data(digest=world.image.digest())
        if not json:
            print(world.image.digest())


@task(help=HELP)
def push(context: Context, environment: str = "local", json: bool = False) -> None:
    """The same: an image is pushed as it is built."""
    build.body(context, environment=environment, json=json)
