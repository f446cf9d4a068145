"""A protected environment's settings are those of the commit: nobody edits the protection away for one run."""

from __future__ import annotations

import tomllib
from pathlib import Path

from longshore.commands import git
from longshore.errors import CommandFailed, Precondition
from longshore.process.runner import Runner
from longshore.settings.mistakes import FILE
from longshore.settings.model import Environment, Settings

NOTHING = "nothing was changed"


def refuse(settings: Settings, environment: Environment, runner: Runner, commit: str = "HEAD") -> None:
    """Raise Precondition where the file, or that of COMMIT, protects ENVIRONMENT, and the two differ.

    And where nobody can tell whether that of COMMIT does: git cannot read it, or it is not valid.
    """
    try:
        committed = _at(settings.root, runner, commit)
    except CommandFailed as problem:
        raise Precondition(
            f"git cannot say what {FILE} holds in the commit {commit[:12]}",
            detail=problem.detail,
            hint=f"`git fsck` names what a damaged or partial clone lacks; {NOTHING}",
        ) from None
    if committed == (settings.root / FILE).read_text(encoding="utf-8"):
        return
    name, hint = environment.name, f"commit and push it, or have it as {commit[:12]} does; {NOTHING}"
    try:
        if environment.protected or _protects(committed, name):
            raise Precondition(f"{FILE} differs from the commit, and {name} is protected", hint=hint)
    except (ValueError, RecursionError, AttributeError):
        sentence = f"{FILE} differs from the commit, whose own is not valid: it may protect {name}"
        raise Precondition(sentence, hint=hint) from None


def _at(folder: Path, runner: Runner, commit: str) -> str:
    """Return what FOLDER's settings are at COMMIT; empty where it has none. Raises CommandFailed."""
    shown = runner.run(git.show(folder, FILE, commit), check=False)
    if shown.exit_code == 0:
        return shown.stdout.replace("\r\n", "\n")
    if runner.run(git.listed(folder, FILE, commit)).stdout:
        raise CommandFailed("git", shown.exit_code, tail=shown.tail)
    return ""


def _protects(text: str, name: str) -> bool:
    return bool(tomllib.loads(text).get("environments", {}).get(name, {}).get("protected"))
