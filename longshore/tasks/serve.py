"""The application alone."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from longshore.command import query
from longshore.errors import Precondition
from longshore.tasks.session import Opened


@task(help={"port": "where to listen on this machine (default: the application's own port)"})
def serve(context: Context, port: int = 0) -> None:
    """Run the application alone, reloading on change."""
    with Opened() as run:
        app = run.settings.application
        address = f"127.0.0.1:{port or app.port}"
        config = run.settings.root / app.path / "gunicorn.conf.py"
        if not config.exists():
            raise Precondition(
                f"{app.path}/gunicorn.conf.py does not exist",
                hint="gunicorn serves with the same settings here and in the image",
            )
        templates = [
            f"--reload-extra-file={path}" for path in sorted((run.settings.root / app.path).rglob("*.html"))
        ]
        run.console.line(f"http://{address} (Ctrl-C ends it)")
        command = query(
            sys.executable, "-m", "gunicorn", "--config", str(config), "--bind", address, "--reload", *templates,
            f"{app.path}:create_app()", cwd=run.settings.root, deadline=10 * 86400,
            env={"REVISION": "working tree", "IMAGE_DIGEST": "none", "POD_NAME": "this machine"},
        )  # fmt: skip
        run.runner.run(command, on_line=run.console.line)
