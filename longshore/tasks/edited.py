"""A protected environment's settings are those of the commit: nobody edits the protection away for one run."""

from __future__ import annotations

import contextlib
import tomllib

from longshore.commands import git
from longshore.errors import Precondition
from longshore.process.runner import Runner
from longshore.settings.mistakes import FILE
from longshore.settings.model import Environment, Settings


def refuse(settings: Settings, environment: Environment, runner: Runner, commit: str = "HEAD") -> None:
    """Raise Precondition where the file, or that of COMMIT, protects ENVIRONMENT, and the two differ."""
    ended = runner.run(git.show(settings.root, FILE, commit), check=False)
    committed = ended.stdout if ended.exit_code == 0 else ""
    if committed == (settings.root / FILE).read_text(encoding="utf-8"):
        return
    with contextlib.suppress(ValueError, RecursionError, AttributeError):
        table = tomllib.loads(committed).get("environments", {}).get(environment.name, {})
        if environment.protected or table.get("protected"):
            raise Precondition(
                f"{FILE} differs from the commit, and {environment.name} is protected",
                hint=f"commit and push it, or have it as {commit[:12]} does; nothing was changed",
            )
