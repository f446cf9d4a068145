"""The application's image."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import Precondition
from longshore.tasks.session import JSON, Session

HELP = {"environment": "whose registry to push to (default: local)", "json": JSON}


@task(help=HELP)
def build(context: Context, environment: str = "local", json: bool = False) -> None:
    """Build and push the image, unless the registry has it; print its digest."""
    with Session(as_json=json) as session:
        from longshore.image.build import BuiltImage
        from longshore.tasks import catalogue

        world = session.world(environment)
        catalogue.require_answers(world)
        report = session.run(catalogue.graph(world, with_checks=False, applies=False).only("image"), world.sources)
        digest = report.values.get("image", BuiltImage).digest
        session.data(digest=digest)
        if not json:
            session.publish(digest)


@task(help=HELP)
def push(context: Context, environment: str = "local", json: bool = False) -> None:
    """Same as image.build: an image is pushed as it is built."""
    build.body(context, environment=environment, json=json)


@task(help={"write": "write the digests into the files", "json": JSON})
def update_bases(context: Context, write: bool = False, json: bool = False) -> None:
    """Show which digest the tag of each base image stands for, in Dockerfiles and longshore.toml."""
    with Session(as_json=json) as session:
        import msgspec

        from longshore.files import write_atomically
        from longshore.image import docker_config, job_image, pins
        from longshore.settings.mistakes import FILE

        def login(host: str) -> str:
            return docker_config.login(session.settings.host.docker_config, host)

        found: list[pins.Named] = []
        for name in dict.fromkeys((session.settings.application.dockerfile, job_image.DOCKERFILE, FILE)):
            path = session.settings.root / name
            if not path.is_file():
                continue
            text = path.read_text(encoding="utf-8")
            images = (pins.in_settings if name == FILE else pins.in_dockerfile)(text)
            here = []
            for each in pins.ask(name, images, login):
                state = each.problem or ("as pinned" if each.pinned == each.image else each.digest)
                session.console.line(f"{name}:{each.line}: {each.image}: {state}")
                here.append(each)
            new = pins.replaced(text, {each.image: each.pinned for each in here})
            if write and new != text:
                write_atomically(path, new, path.stat().st_mode & 0o777)
            found += here
        session.data(images=msgspec.to_builtins(found), written=write)
        if unknown := list(dict.fromkeys(each.image for each in found if each.problem)):
            hint = f"what else is named is as shown{' and written' if write else ''}"
            raise Precondition(f"nothing is known of {', '.join(unknown)}", hint=hint)
