"""The checks in clean virtualenvs: `nox -s lint tests` needs nothing but Nox.

A session installs what requirements/dev.txt pins, with hashes, and calls Invoke, so that only longshore/ decides what a
check consists of. This file imports nothing local, since it runs in Nox's own environment.
"""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from types import FrameType

import nox

nox.needs_version = ">= 2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests", "scan"]
nox.options.error_on_missing_interpreters = True

LOCK = Path("requirements/dev.txt")
PATIENCE = 60.0  # seconds for an interrupted session to end its processes and release its locks; Terraform takes 45


def _forward(_number: int, _frame: FrameType | None) -> None:
    """Pass SIGTERM on to the session's process and wait for it: Nox alone would die at once and leave it running."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(pid), signal.SIGTERM)
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, _forward)


def _prepare(session: nox.Session) -> None:
    """Install what LOCK pins, unless this virtualenv has exactly that."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = Path(session.virtualenv.location) / "installed-lock"
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    session.install("--require-hashes", "-r", str(LOCK))
    stamp.write_text(digest)


def _run(session: nox.Session, *argv: str) -> None:
    _prepare(session)
    session.run(*argv, *session.posargs, interrupt_timeout=PATIENCE, terminate_timeout=10.0)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types: Python, YAML, Dockerfile, manifests."""
    _run(session, "invoke", "lint")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the unit tests with coverage."""
    _run(session, "invoke", "test")


@nox.session
def scan(session: nox.Session) -> None:
    """Scan for insecure code, secrets, yanked and vulnerable dependencies."""
    _run(session, "invoke", "scan")


@nox.session
def validate(session: nox.Session) -> None:
    """Check the format and validity of terraform/; needs Terraform."""
    _run(session, "invoke", "infra.validate")


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests that use real tools but no cluster; arguments go to pytest."""
    _run(session, "python", "-m", "pytest", "tests/integration")


@nox.session
def e2e(session: nox.Session) -> None:
    """Run the end-to-end tests in a local environment, as root; arguments go to pytest."""
    _run(session, "python", "-m", "pytest", "tests/e2e")


@nox.session
def nightly(session: nox.Session) -> None:
    """Run the slow integration and end-to-end tests and the scans of policies, as root; arguments go to pytest."""
    _run(session, "python", "-m", "pytest", "-m", "slow", "tests/policies", "tests/integration", "tests/e2e")


@nox.session
def policies(session: nox.Session) -> None:
    """Scan terraform/, k8s/ and the rendered IAM policies; each scanner has a virtualenv of its own."""
    _run(session, "python", "-m", "pytest", "-m", "slow", "tests/policies")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Update the generated parts of terraform/README.md: diagram, inputs, outputs."""
    session.run("python3", "terraform/readme.py", external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Update the lock files from the .in files and pyproject.toml; `-- --upgrade` takes newer releases."""
    _prepare(session)
    # No index and no header: a lock file names neither the machine nor the mirror that it was made with.
    options = (
        "--quiet",
        "--universal",
        "--python-version=3.11",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-header",
        "--no-annotate",
        "--no-strip-extras",  # with hashes, pip does not see that `coverage` pins `coverage[toml]`
    )
    for name, sources in {
        "application": ["requirements/application.in"],
        "dev": ["--extra=local", "pyproject.toml", "requirements/dev.in"],
        "nox": ["requirements/nox.in"],
        "checkov": ["requirements/checkov.in"],
        "parliament": ["requirements/parliament.in"],
    }.items():
        output = f"--output-file=requirements/{name}.txt"
        session.run("uv", "pip", "compile", *options, output, *sources, *session.posargs)
