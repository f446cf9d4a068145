"""Who asks what is set at GitLab and GitHub, of a server that answers as their documentation says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from longshore.pipeline import audit
from longshore.process.command import Secret
from longshore.settings.model import Settings
from tests.unit.pipeline import providers
from tests.unit.pipeline.given import settings
from tests.unit.pipeline.providers import GITHUB_TOKEN, GITLAB_TOKEN, Providers, environment, variable

SETTINGS = settings()
ROLES = {role: f"production/{role}" for role in ("plan", "apply", "build", "deploy")}
ALL = [
    variable("AWS_ROLE_ARN", ROLES["plan"]),
    *(variable("AWS_ROLE_ARN", ROLES[role], protected=True) for role in ("apply", "build", "deploy")),
    *(variable("LONGSHORE_PLAN_KEY", ROLES[role], masked=True) for role in ("plan", "apply")),
]
PLANNING = {"variables_of_production/plan": ["AWS_ROLE_ARN"], "secrets_of_production/plan": ["LONGSHORE_PLAN_KEY"]}
NAMES = PLANNING | {
    "variables_of_production/apply": ["AWS_ROLE_ARN"],
    "secrets_of_production/apply": ["LONGSHORE_PLAN_KEY"],
    "variables_of_production/build": ["AWS_ROLE_ARN"],
    "variables_of_production/deploy": ["AWS_ROLE_ARN"],
}
PLACES = [
    environment(ROLES["plan"]),
    environment(ROLES["apply"], "branch_policy", "required_reviewers"),
    environment(ROLES["build"], "branch_policy"),
    environment(ROLES["deploy"], "branch_policy"),
]


def of_server(key: str, **more: Any) -> dict[str, Any]:
    """A variable of the whole GitLab, which has no scope."""
    return {name: value for name, value in variable(key, **more).items() if name != "environment_scope"}


@pytest.fixture
def there() -> Iterator[Providers]:
    with providers.serving() as server:
        yield server


def asking(there: Providers, base: Settings = SETTINGS, **host: Any) -> Settings:
    tokens = {"gitlab_token": Secret(GITLAB_TOKEN), "github_token": Secret(GITHUB_TOKEN)}
    apis = {"gitlab_api": f"{there.address}/api/v4", "github_api": f"{there.address}/api/v3"}
    return replace(base, host=replace(base.host, **(tokens | apis | host)))


def wrong(facts: list[audit.Fact]) -> dict[str, str]:
    return {fact.what: fact.do for fact in facts if fact.fine is False}


def unseen(facts: list[audit.Fact]) -> dict[str, str]:
    return {fact.what: fact.do for fact in facts if fact.fine is None}
