"""A protected environment's settings are those of the commit: nobody edits the protection away for one run."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from longshore.commands import git
from longshore.errors import CommandFailed, DeadlineExceeded, Precondition
from longshore.process.runner import Runner
from longshore.settings.mistakes import FILE
from longshore.settings.model import Environment, Settings
from longshore.snapshot.remote import Remote

NOTHING = "nothing was changed"


def refuse(settings: Settings, environment: Environment, runner: Runner, commit: str = "HEAD") -> None:
    """Raise Precondition where the file, or that of COMMIT, protects ENVIRONMENT, and the two differ.

    And where nobody can tell whether that of COMMIT does: git cannot read it, or it is not valid.
    """
    committed = _at(settings.root, runner, commit)
    if committed == (settings.root / FILE).read_text(encoding="utf-8"):
        return
    name, hint = environment.name, f"commit and push it, or have it as {commit[:12]} does; {NOTHING}"
    try:
        if environment.protected or _protects(committed, name):
            raise Precondition(f"{FILE} differs from the commit, and {name} is protected", hint=hint)
    except (ValueError, RecursionError, AttributeError):
        sentence = f"{FILE} differs from the commit, whose own is not valid: it may protect {name}"
        raise Precondition(sentence, hint=hint) from None


def refuse_unpushed(settings: Settings, environment: Environment, remote: Remote) -> None:
    """Raise Precondition where the tip of REMOTE's branch protects ENVIRONMENT, and these settings do not.

    Else a commit that nobody has pushed, or reviewed, would take the protection away.
    """
    name, branch = environment.name, f"refs/heads/{remote.branch}"
    if environment.protected or not remote.known or branch not in remote.refs:
        return
    try:
        said = _at(settings.root, remote.runner, remote.refs[branch])
    except Precondition:
        said = _at(settings.root, remote.runner, branch, remote.tip)
    with contextlib.suppress(ValueError, RecursionError, AttributeError):
        if _protects(said, name):
            raise Precondition(
                f"{name} is protected on {remote.branch} of {remote.name}, and {FILE} here does not say so",
                hint=f"deploy from the branch; to take the protection away, push that there first; {NOTHING}",
            )


def _at(folder: Path, runner: Runner, commit: str, env: Mapping[str, str] | None = None) -> str:
    """Return what FOLDER's settings are at COMMIT, which git finds by ENV; empty where it has none.

    Raises Precondition where git cannot tell.
    """
    try:
        shown = runner.run(git.show(folder, FILE, commit, env), check=False)
        if shown.exit_code == 0:
            return shown.stdout.replace("\r\n", "\n")
        if not runner.run(git.listed(folder, FILE, commit, env)).stdout:
            return ""
        detail = shown.tail
    except (CommandFailed, DeadlineExceeded) as problem:
        detail = problem.detail or problem.sentence
    raise Precondition(
        f"git cannot say what {FILE} holds at {commit}",
        detail=detail,
        hint=f"`git fsck` names what a damaged or partial clone lacks; {NOTHING}",
    )


def _protects(text: str, name: str) -> bool:
    return bool(tomllib.loads(text).get("environments", {}).get(name, {}).get("protected"))
