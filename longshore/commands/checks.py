"""What is asked of the tools behind the gates.

PYTHON is the interpreter that the tools are installed for. Where a tool can write a report it does; what a report has to say for
its gate to open is in longshore/steps/evidence.py, since exit codes say less: several of these end with 0 having examined nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore.command import Command, query


def ruff(python: str, report: Path) -> Command:
    """Look for mistakes in the project's Python; REPORT is in GitLab's code quality form."""
    return query(python, "-m", "ruff", "check", "--output-format=gitlab", f"--output-file={report}", ".")


def ruff_files(python: str) -> Command:
    """List the files that `ruff` examines."""
    return query(python, "-m", "ruff", "check", "--show-files", ".")


def ruff_format(python: str) -> Command:
    """List the files that are not laid out as the formatter would; exit code 1 when there are any."""
    return query(python, "-m", "ruff", "format", "--check", ".")


def mypy(python: str) -> Command:
    """Check the types of what pyproject.toml names."""
    return query(python, "-m", "mypy", "--no-color-output", "--no-pretty", deadline=300)


def yamllint(python: str, *paths: str) -> Command:
    """Check the form of the YAML files under PATHS."""
    return query(python, "-m", "yamllint", "--strict", "--format=parsable", *paths)


def yaml_files(python: str, *paths: str) -> Command:
    """List the files that `yamllint` examines."""
    return query(python, "-m", "yamllint", "--list-files", *paths)


def hadolint(python: str, dockerfile: str) -> Command:
    """Check the Dockerfile; prints a JSON list. The program is no Python module: it is installed beside the interpreter."""
    return query(str(Path(python).parent / "hadolint"), "--format=json", dockerfile)


def pytest(
    python: str,
    report: Path,
    suite: str,
    paths: Sequence[str],
    leave_out: Sequence[str] = (),
    *,
    covers: Sequence[str] = (),
    deadline: float = 600.0,
) -> Command:
    """Run the tests under PATHS; the folder REPORT gets junit-SUITE.xml and coverage-SUITE.xml, in forms that GitLab reads.

    COVERS are the packages whose lines they should reach; with none, what pyproject.toml says.
    """
    return query(
        *(python, "-m", "pytest", "--quiet", "--no-header", "--tb=short", "--color=no"),
        f"--junit-xml={report / f'junit-{suite}.xml'}",
        *(tuple(f"--cov={package}" for package in covers) or ("--cov",)),
        *("--cov-report=term:skip-covered", f"--cov-report=xml:{report / f'coverage-{suite}.xml'}"),
        *(f"--ignore={path}" for path in leave_out),
        *paths,
        env={"COVERAGE_FILE": str(report.parent / "cache" / f"coverage-{suite}")},  # suites run side by side
        deadline=deadline,
    )


def smoke(
    python: str, report: Path, folder: str, *, root: Path, env: Mapping[str, str], deadline: float
) -> Command:
    """Run the tests in FOLDER against what ENV names; REPORT is a JUnit file."""
    options = ("--quiet", "--no-header", "--tb=short", "--color=no", f"--junit-xml={report}")
    return query(python, "-m", "pytest", *options, folder, cwd=root, env=env, deadline=deadline)


def bandit(python: str, report: Path, *paths: str) -> Command:
    """Look for insecure code under PATHS."""
    settings = "--configfile=pyproject.toml"
    return query(python, "-m", "bandit", "-q", "-r", settings, "--format=json", f"--output={report}", *paths)


def secrets(python: str, *files: str) -> Command:
    """Look for credentials in FILES; prints JSON, or nothing where it found none."""
    return query(python, "-m", "detect_secrets.pre_commit_hook", "--json", *files, deadline=300)


def audit(python: str, lock: str, report: Path) -> Command:
    """Ask the advisory service about every release that LOCK pins. What it could not ask is in REPORT too."""
    return query(
        *(python, "-m", "pip_audit", "--disable-pip", "--require-hashes", f"--requirement={lock}"),
        *("--format=json", f"--output={report}", "--progress-spinner=off", "--timeout=5"),
        deadline=90,
    )


def withdrawn(python: str, releases: Sequence[str]) -> Command:
    """Ask pip what it would install for RELEASES (`name==version`); its report says which of them their authors withdrew.

    pip, since it knows the index, its login and its certificates as they are configured. No file is fetched but metadata.
    """
    return query(
        *(python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--retries=1", "--timeout=5", "--report=-"),
        *releases,
        deadline=60,
    )
