"""What is asked of the tools behind the gates.

PYTHON is the interpreter that the tools are installed for. What a report has to say for its gate to open is in
longshore/gates/reports.py, since exit codes say less: several of these end with 0 having examined nothing.
"""

from __future__ import annotations

import re
import site
from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore.process.command import Command, query

# What tells pip which package index it has; how it reaches that, and where packages are kept.
INDEX = ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS")
PIP = (
    *(*INDEX, "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES"),
    *("PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_KEYRING_PROVIDER", "NETRC"),
)
NOT_OURS = (".git", "__pycache__", "*/.venv/*", "*/.nox/*", "*/.tox/*", "*/.longshore/*")
# The ids of Alembic's revisions, twelve hex digits, where it writes them: no secrets.
ALEMBIC = (
    r"^(down_revision|revision|depends_on)(: ?[^=]+)?\s*=\s*[(\[]?\s*((['\"])[0-9a-f]{12}\4(,\s*)?)+[)\]]?\s*(#.*)?$"
)
QUIET = ("--quiet", "--no-header", "--tb=short", "--color=no")
# A home in which ruff finds neither a configuration nor what the user has git ignore everywhere; Python's is the same.
NOBODY = {"HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null", "PYTHONUSERBASE": site.getuserbase()}
START = "LONGSHORE_START"
# Pytest with its plugins, which waits before it looks at any file of the sources. Pods that start come before it; once
# it tests, it comes before old pods that end, where the user may say so.
WAITING = f"""
import contextlib, os; os.nice(10)
import sys, pytest
import http.client, pdb, ssl, urllib.request  # which pytest and tests of an address would load after the wait
class Start:
    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self):
        with open(os.environ.pop({START!r})) as pipe:
            pipe.readline() or sys.exit()
        with contextlib.suppress(OSError):
            os.nice(-10)
sys.exit(pytest.main(sys.argv[1:], plugins=[Start()]))
"""


def ruff(python: str, report: Path, config: Path | None = None) -> Command:
    """Look for mistakes in the project's Python, by CONFIG or its own; REPORT is in GitLab's code quality form."""
    argv = (python, "-m", "ruff", "check", "--no-cache", *_configured(config))  # it keeps no name that is not UTF-8
    return query(*argv, "--output-format=gitlab", f"--output-file={report}", ".", env=NOBODY)


def ruff_files(python: str, config: Path | None = None) -> Command:
    """List the files that `ruff` examines."""
    return query(python, "-m", "ruff", "check", *_configured(config), "--show-files", ".", env=NOBODY)


def _configured(config: Path | None) -> tuple[str, ...]:
    return (f"--config={config}",) if config else ()


def ruff_format(python: str) -> Command:
    """List the files that are not laid out as the formatter would; exit code 1 when there are any."""
    return query(python, "-m", "ruff", "format", "--check", ".", env=NOBODY)


def mypy(python: str, *paths: str, installed: str = "") -> Command:
    """Check the types under PATHS, or of what its configuration names.

    INSTALLED is the interpreter that has the packages which they import; by default PYTHON.
    """
    other = (f"--python-executable={installed}",) if installed else ()
    return query(python, "-m", "mypy", "--no-color-output", "--no-pretty", *other, *paths, deadline=300)


def yamllint(python: str, *paths: str, config: Path | None = None) -> Command:
    """Check the form of the YAML files under PATHS, by CONFIG or what the project says."""
    by = (f"--config-file={config}",) if config else ()
    return query(python, "-m", "yamllint", "--strict", "--format=parsable", *by, *paths)


def yaml_files(python: str, *paths: str, config: Path | None = None) -> Command:
    """List the files that `yamllint` examines."""
    by = (f"--config-file={config}",) if config else ()
    return query(python, "-m", "yamllint", "--list-files", *by, *paths)


def hadolint(python: str, dockerfile: str, config: Path | None = None) -> Command:
    """Check the Dockerfile by CONFIG or the project's own; prints a JSON list.

    The program is no module but installed beside the interpreter.
    """
    return query(str(Path(python).parent / "hadolint"), "--format=json", *_configured(config), dockerfile)


def pytest(
    python: str,
    report: Path,
    suite: str,
    paths: Sequence[str],
    leave_out: Sequence[str] = (),
    *,
    configured: Sequence[str] = (),
    covers: Sequence[str] = (),
    takes: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    deadline: float = 600.0,
) -> Command:
    """Run the tests under PATHS; junit-SUITE.xml and coverage-SUITE.xml in REPORT are in forms that GitLab reads.

    CONFIGURED are words that say which configuration counts. COVERS are the packages whose lines they should reach;
    with none, what pyproject.toml says. TAKES are variables of the shell that they need, ENV are more.
    """
    return query(
        *(python, "-m", "pytest", *QUIET, *configured),
        f"--junit-xml={report / f'junit-{suite}.xml'}",
        *(tuple(f"--cov={package}" for package in covers) or ("--cov",)),
        *("--cov-report=term:skip-covered", f"--cov-report=xml:{report / f'coverage-{suite}.xml'}"),
        *(f"--ignore={path}" for path in leave_out),
        *paths,
        env={**(env or {}), "COVERAGE_FILE": str(report.parent / "cache" / f"coverage-{suite}")},  # side by side
        takes=tuple(takes),
        deadline=deadline,
    )


def smoke(
    python: str,
    report: Path,
    folder: str,
    *,
    root: Path,
    env: Mapping[str, str],
    deadline: float,
    configured: Sequence[str] = (),
) -> Command:
    """Run the tests in FOLDER against what ENV names; REPORT is a JUnit file, CONFIGURED as for `pytest`.

    Where ENV has START, a pipe, pytest reads nothing of the sources until a line comes by it.
    """
    pytest = ("-c", WAITING) if START in env else ("-m", "pytest")
    # Hypothesis imports itself once the tests are over, to say nothing: that takes longer than they do.
    argv = (python, *pytest, *QUIET, *configured, "-p", "no:hypothesispytest", f"--junit-xml={report}", folder)
    return query(*argv, cwd=root, env=env, deadline=deadline)


def bandit(python: str, report: Path, *paths: str, configured: bool = True) -> Command:
    """Look for insecure code under PATHS, but not in virtualenvs and what Longshore keeps.

    CONFIGURED: there is a pyproject.toml, which may say more.
    """
    own = ("--configfile=pyproject.toml",) if configured else ()
    settings = (*own, f"--exclude={','.join(NOT_OURS)}")
    return query(python, "-m", "bandit", "-q", "-r", *settings, "--format=json", f"--output={report}", *paths)


def secrets(python: str, *files: str) -> Command:
    """Look for credentials in FILES; prints JSON, or nothing where it found none."""
    hook = (python, "-m", "detect_secrets.pre_commit_hook", "--json", f"--exclude-lines={ALEMBIC}")
    return query(*hook, "--", *files, deadline=300)


def audit(python: str, lock: str, report: Path) -> Command:
    """Ask the advisory service about every release that LOCK, a requirements file, pins.

    What it could not ask is in REPORT too.
    """
    return query(
        *(python, "-m", "pip_audit", "--disable-pip", "--no-deps", f"--requirement={lock}"),
        *("--format=json", f"--output={report}", "--progress-spinner=off", "--timeout=5"),
        takes=PIP,
        deadline=90,
    )


def withdrawn(python: str, releases: Sequence[str], version: str = "") -> Command:
    """Ask pip, which knows the configured index, what it would install for RELEASES (`name==version`).

    Its report says which were withdrawn. No file is fetched but metadata. VERSION is that of the Python they are for,
    where it is not PYTHON's.
    """
    other = (f"--python-version={version}",) if re.fullmatch(r"\d+(\.\d+){1,2}", version) else ()
    return query(
        *(python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--retries=1", "--timeout=5", "--report=-"),
        *other,
        *releases,
        takes=PIP,
        deadline=60,
    )
