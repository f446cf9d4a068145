"""`invoke ci.variables --check`, at a server that answers as GitLab and GitHub do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.pipeline import providers
from tests.unit.pipeline.given import BASE, PIPELINE
from tests.unit.pipeline.providers import (
    GITHUB_TOKEN,
    GITLAB_TOKEN,
    SERVER,
    VARIABLES,
    Providers,
    environment,
    variable,
)

ROOT = Path(__file__).parents[2]
SCOPES = [f"production/{role}" for role in ("plan", "apply", "build", "deploy")]
ROLES = [variable("AWS_ROLE_ARN", scope, protected=not scope.endswith("plan")) for scope in SCOPES]
TOKENS = {"GITLAB_TOKEN": GITLAB_TOKEN, "GH_TOKEN": GITHUB_TOKEN}


@pytest.fixture
def there() -> Iterator[Providers]:
    with providers.serving() as server:
        server.answers[VARIABLES] = ROLES + [variable("LONGSHORE_PLAN_KEY", scope, masked=True) for scope in SCOPES[:2]]
        places = [environment(scope, *["required_reviewers"] * scope.endswith("apply")) for scope in SCOPES]
        server.github(places, variables=["AWS_ROLE_ARN"], secrets=["LONGSHORE_PLAN_KEY"])
        yield server


def check(project: Path, there: Providers, *words: str, **tokens: str) -> subprocess.CompletedProcess[str]:
    (project / "longshore.toml").write_text(BASE.read_text() + PIPELINE)
    (project / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    env = {name: value for name, value in os.environ.items() if not name.endswith("_TOKEN")}
    env |= {"PYTHONPATH": str(ROOT), "CI": "true", "GITLAB_HOST": there.address, "GH_HOST": there.address} | tokens
    argv = [sys.executable, "-m", "invoke", "ci.variables", "--check", *words]
    return subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_project_that_has_set_all_of_them_ends_with_0(tmp_path: Path, there: Providers) -> None:
    ran = check(tmp_path, there, "--json", **TOKENS)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)["found"]
    assert [(provider, len(facts), all(each["fine"] for each in facts)) for provider, facts in found.items()] == [
        ("gitlab", 6, True),
        ("github", 7, True),
    ]


def test_what_is_missing_is_named_and_ends_with_3(tmp_path: Path, there: Providers) -> None:
    there.answers[VARIABLES] = ROLES[:3]
    ran = check(tmp_path, there, **TOKENS)
    assert ran.returncode == 3
    assert "✘ gitlab: AWS_ROLE_ARN for production/deploy: it is not set there\n" in ran.stdout
    assert "✔ github: required reviewers for production/apply\n" in ran.stdout
    assert "missing: AWS_ROLE_ARN for production/deploy, LONGSHORE_PLAN_KEY for production/plan" in ran.stdout


def test_what_may_be_inherited_unseen_is_not_called_missing_and_ends_with_3(tmp_path: Path, there: Providers) -> None:
    there.groups(acme=there.answers[VARIABLES][4:])
    there.answers[VARIABLES] = ROLES
    assert check(tmp_path, there, **TOKENS).returncode == 0
    there.hidden["/api/v4/groups/acme/variables"] = 403
    ran = check(tmp_path, there, **TOKENS)
    assert ran.returncode == 3
    why = "it is not set there, and the variables of the group acme were not seen"
    assert f"? gitlab: LONGSHORE_PLAN_KEY for production/plan: {why}\n" in ran.stdout
    assert "not seen: LONGSHORE_PLAN_KEY for production/plan, LONGSHORE_PLAN_KEY for production/apply" in ran.stdout
    assert "missing:" not in ran.stdout
    del there.hidden["/api/v4/groups/acme/variables"]
    there.answers["/api/v4/groups/acme/variables"] = []
    there.hidden[SERVER] = 403
    ran = check(tmp_path, there, **TOKENS)
    assert ran.returncode == 3
    assert "and the variables of the whole server were not seen\n" in ran.stdout
    assert "the server's administrator" in ran.stdout


def test_what_nobody_can_say_is_not_taken_for_set(tmp_path: Path, there: Providers) -> None:
    ran = check(tmp_path, there, GH_TOKEN=GITHUB_TOKEN)
    assert ran.returncode == 3
    assert "there is no token to ask GitLab with" in ran.stdout
    assert "✔ github: AWS_ROLE_ARN for production/plan\n" in ran.stdout


def test_neither_tokens_nor_values_are_told(tmp_path: Path, there: Providers) -> None:
    there.answers[VARIABLES] = [{**each, "value": "a-value-of-seed"} for each in ROLES]
    ran = check(tmp_path, there, "--json", **TOKENS)
    files = [path.read_text(errors="replace") for path in (tmp_path / ".longshore").rglob("*") if path.is_file()]
    for text in (ran.stdout, ran.stderr, *files):
        assert not any(secret in text for secret in ("a-value-of-seed", *TOKENS.values()))
