"""What a project's commands start, written down by Python itself as it happens: tasks.py starts it first of all."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

PROVIDERS = {"GITLAB_CI": "gitlab", "GITHUB_ACTIONS": "github"}
FOLDER = ".longshore/records"  # of the checkout whose environment the jobs use
START = """
from tests.e2e import recorder

recorder.start()
"""


def start() -> None:
    """Write down what this process starts from now on, in a file for each provider and job."""
    provider = next((name for variable, name in PROVIDERS.items() if variable in os.environ), "laptop")
    job = next((os.environ[name] for name in ("JOB", "GITHUB_JOB", "CI_JOB_NAME") if name in os.environ), "")
    if not job:
        return
    file = Path(os.environ.get("LONGSHORE_CHECKOUT", "."), FOLDER, f"{provider}-{job}").resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, {"versions": versions()})
    sys.addaudithook(partial(_note, file))


def versions() -> dict[str, str]:
    """This Python's version, and those of the packages that it has."""
    found = {"python": sys.version.split()[0]}
    for path in filter(os.path.isdir, reversed(sys.path)):
        for name in os.listdir(path):
            if name.endswith(".dist-info"):
                package, _, version = name.removesuffix(".dist-info").partition("-")
                found[package.lower()] = version
    return found


def _note(file: Path, event: str, arguments: tuple[Any, ...]) -> None:
    if event == "os.exec":
        path, argv, env = arguments
        words = [os.fsdecode(word) for word in argv]
        names = sorted(map(os.fsdecode, os.environ if env is None else env))
        program = os.path.realpath(os.fsdecode(path))
        _write(file, {"argv": words, "names": names, "program": f"{program}, {os.stat(program).st_size} bytes"})


def _write(file: Path, line: dict[str, Any]) -> None:
    """Add LINE in one call: several processes write."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(handle, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(handle)
