"""What is missing on this machine or for an environment in AWS, and how to get it."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.errors import Failure, Precondition
from longshore.tasks.session import JSON, Session

if TYPE_CHECKING:
    from longshore.doctor.finding import Finding
    from longshore.tasks.world import World

FREE = 6_000_000_000  # bytes: Go's build cache is the largest part of a first start
SIGNS = {True: "✔", False: "✘", None: "?"}
HELP = {"environment": "an [environments.NAME] of longshore.toml that is in AWS: what a deployment to it needs"}


@task(help=HELP | {"json": JSON})
def doctor(context: Context, environment: str = "", json: bool = False) -> None:
    """Check what is missing here, or for an environment in AWS, and how to get it."""
    with Session(as_json=json) as session:
        world = session.world(environment) if environment else None
        if world and not world.local:
            findings = [_python(), *_sources(session, world), *_in_aws(session, world)]
        else:
            findings = _programs(session) + _machine(session)
        session.data(found=[{"fine": each.fine, "what": each.what, "do": each.do} for each in findings])
        for each in findings:
            session.console.sentence(each.what + ("" if each.fine else f": {each.do}"), f"  {SIGNS[each.fine]} ")
        if missing := [each.what for each in findings if each.fine is False]:
            raise Precondition(f"missing: {', '.join(missing)}", hint="each line above says how to get it")


def _in_aws(session: Session, world: World) -> list[Finding]:
    from longshore.doctor import examine, variables
    from longshore.doctor.finding import Finding, Place

    root, environment = session.settings.root, world.environment
    # As they are on disk, which may be ahead of the commit, and what the settings add to them.
    first, _, last = world.infra.terraform.variables_files()
    files = (first, root / environment.variables_file, last)
    try:
        values = variables.read(root / "terraform", files, session.runner)
    except (Failure, OSError) as problem:
        why = f"{problem}: {getattr(problem, 'detail', '')}".strip(": ")
        return [Finding(False, f"the variables in {environment.variables_file}", why)]
    pipeline = session.settings.pipeline
    place = Place(
        project=session.settings.project.name,
        environment=environment,
        variables=values,
        runner=session.runner,
        gitlab=pipeline.gitlab if "gitlab" in pipeline.providers else "",
        github=pipeline.github if "github" in pipeline.providers else "",
    )
    return list(examine.examine(place))


def _sources(session: Session, world: World) -> list[Finding]:
    """Return whether what is read here is what a protected environment gets: the commit."""
    from longshore.commands import git
    from longshore.doctor.finding import Finding

    root, findings = session.settings.root, []
    for path in ("longshore.toml", world.environment.variables_file) if world.environment.protected else ():
        shown = session.runner.run(git.show(root, path), check=False)
        with suppress(OSError):  # without the file, its variables cannot be read either
            same = shown.exit_code == 0 and shown.stdout == (root / path).read_text(encoding="utf-8")
            advice = f"commit and push it: {world.environment.name} is protected and gets the commit"
            findings.append(Finding(same, f"{path} as committed", advice))
    return findings


def _programs(session: Session) -> list[Finding]:
    from longshore.commands import versions
    from longshore.doctor import programs
    from longshore.doctor.finding import Finding

    findings = [
        programs.starts(session.runner, versions.git(), "git", "install git"),
        programs.terraform(session.runner),
    ]
    if not any(environment.local for environment in session.settings.environments.values()):
        return findings
    from longshore.tasks.local_cloud import system_packages

    for package, installed in system_packages(session.settings):
        advice = (
            f"`apt-get install {package.name}` ({package.why}); `invoke deploy` does it as root on Debian or Ubuntu"
        )
        findings.append(Finding(installed, package.name, advice))
    return findings


def _python() -> Finding:
    from longshore.doctor.finding import Finding

    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(sys.version_info >= (3, 11), f"Python {version}", "Longshore needs 3.11 or newer")


def _machine(session: Session) -> list[Finding]:
    from longshore.doctor.finding import Finding

    free = shutil.disk_usage(session.settings.root).free
    root = "the built-in cluster needs it: use sudo, or name a `context` in longshore.toml"
    return [
        _python(),
        Finding(os.geteuid() == 0, "root", root),
        Finding(free > FREE, f"{free / 1e9:.0f} GB free", "a first start needs about 6 GB"),
    ]
