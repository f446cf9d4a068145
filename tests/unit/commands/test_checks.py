from __future__ import annotations

import re
from pathlib import Path

import pytest

from longshore.commands import checks

PYTHON = "/venv/bin/python"
REPORT = Path("/project/.longshore/report")


def test_ruff_writes_gitlabs_code_quality_report() -> None:
    command = checks.ruff(PYTHON, REPORT / "quality.json")
    assert command.argv == (
        *(PYTHON, "-m", "ruff", "check", "--no-cache", "--output-format=gitlab"),
        *("--output-file=/project/.longshore/report/quality.json", "."),
    )


def test_the_formatter_only_looks() -> None:
    assert checks.ruff_format(PYTHON).argv == (PYTHON, "-m", "ruff", "format", "--check", ".")


def test_hadolint_is_the_one_installed_beside_the_interpreter() -> None:
    assert checks.hadolint(PYTHON, "Dockerfile").argv == ("/venv/bin/hadolint", "--format=json", "Dockerfile")


def test_the_tests_leave_junit_and_cobertura() -> None:
    argv = checks.pytest(PYTHON, REPORT, "service", ["tests/unit"], ["tests/unit/other"]).argv
    assert argv[:3] == (PYTHON, "-m", "pytest")
    assert "--junit-xml=/project/.longshore/report/junit-service.xml" in argv
    assert "--cov-report=xml:/project/.longshore/report/coverage-service.xml" in argv
    assert argv[-2:] == ("--ignore=tests/unit/other", "tests/unit")


def test_yamllint_takes_warnings_for_errors() -> None:
    command = checks.yamllint(PYTHON, "k8s", ".gitlab-ci.yml")
    assert command.argv == (PYTHON, "-m", "yamllint", "--strict", "--format=parsable", "k8s", ".gitlab-ci.yml")


def test_bandit_writes_its_report() -> None:
    argv = checks.bandit(PYTHON, REPORT / "bandit.json", "application", "longshore").argv
    assert argv[-3:] == ("--output=/project/.longshore/report/bandit.json", "application", "longshore")


def test_the_secret_scanner_gets_every_file_by_name() -> None:
    command = checks.secrets(PYTHON, "a b.py", "-c.py")
    hook = (PYTHON, "-m", "detect_secrets.pre_commit_hook", "--json")
    assert command.argv == (*hook, f"--exclude-lines={checks.ALEMBIC}", "--", "a b.py", "-c.py")


@pytest.mark.parametrize(
    ("line", "id_of_a_revision"),
    [
        ("revision = '1975ea83b712'", True),  # pragma: allowlist secret
        ("revision: str = '1975ea83b712'  # users", True),  # pragma: allowlist secret
        ('down_revision: Union[str, None] = "ae1027a6acf0"', True),
        ("down_revision = ('ae1027a6acf0', '27c6a30d7c24')", True),  # pragma: allowlist secret
        ("revision = '1975ea83b712f'", False),  # pragma: allowlist secret
        ("revision = '1975ea83b712' + password", False),  # pragma: allowlist secret
        ("password = '1975ea83b712'", False),  # pragma: allowlist secret
        ("    revision = '1975ea83b712'", False),  # pragma: allowlist secret
    ],
)
def test_the_id_of_a_revision_is_known_by_its_form(line: str, id_of_a_revision: bool) -> None:
    assert bool(re.search(checks.ALEMBIC, line)) is id_of_a_revision


def test_asking_about_withdrawn_releases_installs_nothing() -> None:
    argv = checks.withdrawn(PYTHON, ["flask==3.1.3", "colorama==0.4.6 ; sys_platform == 'win32'"]).argv
    assert {"--dry-run", "--no-deps", "--report=-"} <= set(argv)
    assert argv[-2:] == ("flask==3.1.3", "colorama==0.4.6 ; sys_platform == 'win32'")
    assert "--python-version=3.13" in checks.withdrawn(PYTHON, ["flask==3.1.3"], "3.13").argv
    assert checks.withdrawn(PYTHON, ["flask==3.1.3"], "pypy").argv == checks.withdrawn(PYTHON, ["flask==3.1.3"]).argv


def test_the_audit_reads_the_lock_without_pip() -> None:
    argv = checks.audit(PYTHON, "requirements/application.txt", REPORT / "dependencies.json").argv
    assert {"--disable-pip", "--no-deps", "--requirement=requirements/application.txt"} <= set(argv)
