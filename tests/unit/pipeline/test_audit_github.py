"""Which variables are set at GitHub: asked of a server that answers as its documentation says."""

from __future__ import annotations

import pytest

from longshore.pipeline import audit
from tests.unit.pipeline.audited import NAMES, PLACES, PLANNING, ROLES, asking, there, unseen, wrong
from tests.unit.pipeline.providers import REPOSITORY, Providers

__all__ = ["there"]


def test_a_repository_with_all_of_them_is_fine_at_github(there: Providers) -> None:
    there.github(PLACES, **NAMES)
    facts = audit.github(asking(there))
    assert wrong(facts) == {}
    assert facts[-1].what == "required reviewers for production/apply"


def test_what_the_whole_repository_has_every_environment_has(there: Providers) -> None:
    there.github(PLACES, variables=["AWS_ROLE_ARN"], secrets=["LONGSHORE_PLAN_KEY"])
    assert wrong(audit.github(asking(there))) == {}


def test_an_organization_shares_variables_and_secrets_with_its_repositories(there: Providers) -> None:
    there.github(PLACES)
    others = [f"OTHER_{number}" for number in range(70)]
    there.organization(variables=[*others, "AWS_ROLE_ARN"], secrets=[*others, "LONGSHORE_PLAN_KEY"])
    facts = audit.github(asking(there))
    assert wrong(facts) == unseen(facts) == {}


@pytest.mark.parametrize("status", [403, 404])
def test_what_an_organization_may_share_unseen_is_not_called_missing(there: Providers, status: int) -> None:
    there.github(PLACES, **NAMES | {"secrets_of_production/plan": [], "variables_of_production/plan": []})
    there.organization(variables=[], secrets=["LONGSHORE_PLAN_KEY"])
    there.hidden[f"{REPOSITORY}/actions/organization-secrets"] = status
    facts = audit.github(asking(there))
    assert wrong(facts) == {"AWS_ROLE_ARN for production/plan": "it is not set there: a variable"}
    do = "it is not set there: a secret, and the secrets that the organization shares were not seen"
    assert unseen(facts) == {"LONGSHORE_PLAN_KEY for production/plan": do}


def test_a_users_own_repository_has_no_organization_to_ask(there: Providers) -> None:
    there.github(PLACES, **NAMES)
    audit.github(asking(there))
    assert not [path for path in there.asked if "organization" in path]


def test_a_secret_that_is_a_variable_at_github_is_told(there: Providers) -> None:
    there.github(PLACES, **NAMES | {"secrets_of_production/plan": [], "variables": ["LONGSHORE_PLAN_KEY"]})
    assert wrong(audit.github(asking(there))) == {
        "LONGSHORE_PLAN_KEY for production/plan": "it is not set there as a secret",
        "LONGSHORE_PLAN_KEY for production/apply": "it is a variable as well, which everybody who may write reads",
    }


def test_environments_that_github_does_not_have_lack_everything(there: Providers) -> None:
    there.github(PLACES[:1], **PLANNING)
    missing = wrong(audit.github(asking(there)))
    assert set(missing) == {
        *(f"AWS_ROLE_ARN for {ROLES[role]}" for role in ("apply", "build", "deploy")),
        "LONGSHORE_PLAN_KEY for production/apply",
        "required reviewers for production/apply",
    }
