from __future__ import annotations

from pathlib import Path

from longshore.command import Kind
from longshore.commands import checks

PYTHON = "/venv/bin/python"
REPORT = Path("/project/.longshore/report")


def test_ruff_writes_gitlabs_code_quality_report() -> None:
    command = checks.ruff(PYTHON, REPORT / "quality.json")
    assert command.argv == (
        *(PYTHON, "-m", "ruff", "check", "--output-format=gitlab"),
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
    assert command.argv == (
        PYTHON,
        "-m",
        "yamllint",
        "--strict",
        "--format=parsable",
        "k8s",
        ".gitlab-ci.yml",
    )


def test_bandit_writes_its_report() -> None:
    argv = checks.bandit(PYTHON, REPORT / "bandit.json", "application", "longshore").argv
    assert argv[-3:] == ("--output=/project/.longshore/report/bandit.json", "application", "longshore")


def test_the_secret_scanner_gets_every_file_by_name() -> None:
    command = checks.secrets(PYTHON, "a b.py", "-c.py")
    assert command.argv == (PYTHON, "-m", "detect_secrets.pre_commit_hook", "--json", "a b.py", "-c.py")


def test_asking_about_withdrawn_releases_installs_nothing() -> None:
    argv = checks.withdrawn(PYTHON, ["flask==3.1.3", "colorama==0.4.6 ; sys_platform == 'win32'"]).argv
    assert {"--dry-run", "--no-deps", "--report=-"} <= set(argv)
    assert argv[-2:] == ("flask==3.1.3", "colorama==0.4.6 ; sys_platform == 'win32'")


def test_the_audit_reads_the_lock_without_pip() -> None:
    argv = checks.audit(PYTHON, "requirements/application.txt", REPORT / "dependencies.json").argv
    assert {"--disable-pip", "--require-hashes", "--requirement=requirements/application.txt"} <= set(argv)


def test_every_check_only_reads() -> None:
    made = [
        checks.mypy(PYTHON),
        checks.ruff_files(PYTHON),
        checks.yaml_files(PYTHON, "k8s"),
    ]
    assert {command.kind for command in made} == {Kind.QUERY}
