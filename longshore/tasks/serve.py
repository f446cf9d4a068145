"""The application alone."""

from __future__ import annotations

import os
import sys

from invoke.context import Context
from invoke.tasks import task

from longshore.tasks.options import number
from longshore.tasks.session import JSON, Session


@task(help={"port": "port to listen on (default: the application's own)", "json": JSON})
def serve(context: Context, port: str = "", json: bool = False) -> None:
    """Run the application alone, reloading on change."""
    with Session(as_json=json) as session:
        from longshore.process.command import query

        app, root = session.settings.application, session.settings.root
        chosen = number("port", port or str(app.port), int, 1, 65535)
        address = f"127.0.0.1:{chosen}"
        argv, paths = _argv(session, chosen)
        session.data(url=f"http://{address}")
        session.console.line(f"http://{address} (Ctrl-C stops it)")
        command = query(
            *argv,
            cwd=root,
            deadline=10 * 86400,
            takes=("*",),  # the user's own program, as if it was started by hand
            env={"REVISION": "working tree", "IMAGE_DIGEST": "none", "POD_NAME": "this machine"}
            | {"PORT": str(chosen)}
            | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
        )
        session.runner.run(command, on_line=session.console.line)


def _argv(session: Session, port: int) -> tuple[tuple[str, ...], list[str]]:
    """Return what serves here: with the application's settings for gunicorn, or as its image would; and PYTHONPATH."""
    app, root = session.settings.application, session.settings.root
    config = root / app.path / "gunicorn.conf.py"
    if config.exists() and app.path != ".":
        pages = [f"--reload-extra-file={path}" for path in sorted((root / app.path).rglob("*.html"))]
        gunicorn = (sys.executable, "-m", "gunicorn", "--config", str(config), "--bind", f"127.0.0.1:{port}")
        return (*gunicorn, "--reload", *pages, f"{app.path.replace('/', '.')}:create_app()"), []
    from msgspec.structs import replace

    from longshore.image import generated, import_path

    (server, *words), file = generated.serving(replace(app, port=port), session.snapshot(), host="127.0.0.1")
    folders = [str(root / folder) for folder in import_path.roots(app, session.snapshot(), file)]
    paths = [*folders, *filter(None, [session.runner.environ.get("PYTHONPATH")])] if folders else []
    run = (sys.executable, "-m", server, "--reload", *words) if server in ("gunicorn", "uvicorn") else (server, *words)
    return run, paths
