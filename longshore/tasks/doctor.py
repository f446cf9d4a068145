"""What is missing on this machine, and how to get it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from longshore.command import query
from longshore.errors import Failure, Precondition
from longshore.tasks.session import Opened

if TYPE_CHECKING:
    from longshore.runner import Runner

FREE = 6_000_000_000  # bytes: Go's build cache is the largest part of a first start

Row = tuple[bool, str, str]  # fine, what, what to do


@task(help={"json": "one JSON document on standard output"})
def doctor(context: Context, json: bool = False) -> None:
    """Say what is missing here, and how to get it."""
    with Opened(as_json=json) as run:
        rows = _programs(run) + _machine(run)
        run.data(found=[{"fine": fine, "what": what, "do": advice} for fine, what, advice in rows])
        for fine, what, advice in rows:
            run.console.line(f"  {'✔' if fine else '✘'} {what}" + ("" if fine else f": {advice}"))
        missing = [what for fine, what, _ in rows if not fine]
        if missing:
            raise Precondition(f"missing: {', '.join(missing)}", hint="each line above says how to get it")


def _programs(run: Opened) -> list[Row]:
    from longshore.local.packages import NEEDED, missing

    absent = {package.name for package in missing(run.settings)}
    rows = [
        _version(run.runner, "git", "install git"),
        _version(run.runner, "terraform", "install Terraform 1.11.4 or newer"),
    ]
    for package in NEEDED:
        advice = f"`apt-get install {package.name}` ({package.why}); as root on a Debian-like system `invoke deploy` does it"
        rows.append((package.name not in absent, package.name, advice))
    return rows


def _machine(run: Opened) -> list[Row]:
    python = ".".join(map(str, sys.version_info[:3]))
    free = shutil.disk_usage(run.settings.root).free
    return [
        (sys.version_info >= (3, 11), f"Python {python}", "Longshore needs 3.11 or newer"),
        (
            os.geteuid() == 0,
            "root",
            "the built-in cluster needs it: use sudo, or name a `context` in longshore.toml",
        ),
        (free > FREE, f"{free / 1e9:.0f} GB free", "a first start needs about 6 GB"),
    ]


def _version(runner: Runner, program: str, advice: str) -> Row:
    try:
        said = runner.run(query(program, "version", deadline=10)).stdout.splitlines()
    except Failure:
        return False, program, advice
    return True, said[0] if said else program, advice
