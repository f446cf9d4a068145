"""Which variables are set at GitLab and GitHub: asked of a server that answers as their documentation says."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput, Precondition
from longshore.pipeline import audit
from longshore.process.command import Secret
from longshore.settings.host import Host
from longshore.settings.pipeline import Review
from tests.unit.pipeline.audited import ALL, PLACES, ROLES, SETTINGS, asking, of_server, there, unseen, wrong
from tests.unit.pipeline.providers import SERVER, VARIABLES, Providers, project, variable

__all__ = ["there"]


def test_a_project_with_all_of_them_is_fine_at_gitlab(there: Providers) -> None:
    there.answers[VARIABLES] = ALL
    facts = audit.gitlab(asking(there))
    assert wrong(facts) == {}
    assert [fact.what for fact in facts] == [
        *(f"AWS_ROLE_ARN for {scope}" for scope in ROLES.values()),
        "LONGSHORE_PLAN_KEY for production/plan",
        "LONGSHORE_PLAN_KEY for production/apply",
    ]


def test_what_is_set_for_another_environment_is_not_set(there: Providers) -> None:
    there.answers[VARIABLES] = [*ALL[:3], variable("AWS_ROLE_ARN", "staging/*", protected=True), *ALL[4:]]
    assert wrong(audit.gitlab(asking(there))) == {"AWS_ROLE_ARN for production/deploy": "it is not set there"}


def test_of_two_that_match_the_closer_one_counts(there: Providers) -> None:
    key = variable("LONGSHORE_PLAN_KEY", "production/*", masked=True, protected=True)
    there.answers[VARIABLES] = [*ALL[:4], key, variable("LONGSHORE_PLAN_KEY", ROLES["apply"], masked=True)]
    do = "it is protected, so jobs of other branches do not get it"
    assert wrong(audit.gitlab(asking(there))) == {"LONGSHORE_PLAN_KEY for production/plan": do}


@pytest.mark.parametrize(
    ("changed", "what", "do"),
    [
        (variable("AWS_ROLE_ARN", ROLES["apply"]), "AWS_ROLE_ARN for production/apply", "it has to be protected"),
        (
            variable("AWS_ROLE_ARN", ROLES["plan"], protected=True),
            "AWS_ROLE_ARN for production/plan",
            "it is protected",
        ),
        (
            variable("LONGSHORE_PLAN_KEY", ROLES["apply"]),
            "LONGSHORE_PLAN_KEY for production/apply",
            "it has to be masked",
        ),
        (variable("DOCKER_PWORD", protected=True), "DOCKER_PWORD", "it has to be masked"),
    ],
)
def test_one_that_is_set_wrongly_is_told(there: Providers, changed: dict[str, Any], what: str, do: str) -> None:
    same = [
        each
        for each in ALL
        if (each["key"], each["environment_scope"]) != (changed["key"], changed["environment_scope"])
    ]
    there.answers[VARIABLES] = [*same, changed]
    ((found, why),) = wrong(audit.gitlab(asking(there))).items()
    assert found == what
    assert why.startswith(do)


def test_a_fixed_key_stands_for_a_role(there: Providers) -> None:
    there.answers[VARIABLES] = [variable(audit.FIXED), *ALL[4:]]
    facts = audit.gitlab(asking(there))
    assert wrong(facts) == {}
    assert facts[0].what == "AWS_ROLE_ARN for production/plan (a fixed key in its place)"


def test_the_role_of_review_environments_is_one_for_every_request(there: Providers) -> None:
    pipeline = replace(SETTINGS.pipeline, review=Review(environment="production"))
    base = replace(SETTINGS, pipeline=pipeline)
    there.answers[VARIABLES] = ALL
    (missing,) = wrong(audit.gitlab(asking(there, base)))
    scope = missing.removeprefix("AWS_ROLE_ARN for ").removesuffix("/a-request")
    there.answers[VARIABLES] = [*ALL, variable("AWS_ROLE_ARN", f"{scope}/*")]
    assert wrong(audit.gitlab(asking(there, base))) == {}


def test_a_group_shares_its_variables_with_its_projects(there: Providers) -> None:
    there.answers[VARIABLES] = ALL[:4]
    there.groups(acme=[ALL[5]], web=[ALL[4]])
    facts = audit.gitlab(asking(there))
    assert wrong(facts) == unseen(facts) == {}


def test_what_the_project_sets_counts_before_its_groups_and_the_nearer_group_before_the_other(there: Providers) -> None:
    good, bad = (variable("LONGSHORE_PLAN_KEY", "*", masked=masked) for masked in (True, False))
    there.answers[VARIABLES] = [*ALL[:4], variable("LONGSHORE_PLAN_KEY", "production/*", masked=True)]
    closer = [variable("LONGSHORE_PLAN_KEY", ROLES[role]) for role in ("plan", "apply")]
    there.groups(acme=[bad], web=closer)
    assert wrong(audit.gitlab(asking(there))) == {}, "however closely a group's names the environment"
    there.answers[VARIABLES] = ALL[:4]
    there.groups(acme=[variable("LONGSHORE_PLAN_KEY", ROLES["plan"])], web=[good])
    assert wrong(audit.gitlab(asking(there))) == {}
    there.groups(acme=[good], web=[bad])
    assert set(wrong(audit.gitlab(asking(there))).values()) == {"it has to be masked, since jobs' logs show it"}


@pytest.mark.parametrize("status", [403, 404])
def test_what_a_group_may_share_unseen_is_not_called_missing(there: Providers, status: int) -> None:
    there.answers[VARIABLES] = ALL[:5]
    there.groups(acme=[], web=[])
    there.hidden["/api/v4/groups/acme/variables"] = status
    facts = audit.gitlab(asking(there))
    assert wrong(facts) == {}
    do = "it is not set there, and the variables of the group acme were not seen"
    assert unseen(facts) == {"LONGSHORE_PLAN_KEY for production/apply": do}


def test_a_users_own_project_has_no_group_to_ask(there: Providers) -> None:
    there.answers[VARIABLES] = ALL[:5]
    assert wrong(audit.gitlab(asking(there))) == {"LONGSHORE_PLAN_KEY for production/apply": "it is not set there"}
    assert not [path for path in there.asked if "/groups/" in path]


def test_the_whole_server_shares_its_variables_and_they_count_last(there: Providers) -> None:
    there.answers[VARIABLES] = ALL[:4]
    there.answers[SERVER] = [of_server("LONGSHORE_PLAN_KEY", masked=True)]
    facts = audit.gitlab(asking(there))
    assert wrong(facts) == unseen(facts) == {}, "they have no scope: every job has them"
    there.groups(acme=[variable("LONGSHORE_PLAN_KEY", ROLES["plan"])])
    there.answers[VARIABLES] = ALL[:4]
    do = "it has to be masked, since jobs' logs show it"
    assert wrong(audit.gitlab(asking(there))) == {"LONGSHORE_PLAN_KEY for production/plan": do}


def test_what_a_whole_server_may_share_is_not_called_missing_for_who_is_no_administrator(there: Providers) -> None:
    there.answers[VARIABLES] = ALL[:5]
    there.groups(acme=[])
    there.hidden[SERVER] = 403
    facts = audit.gitlab(asking(there))
    assert wrong(facts) == {}
    do = "it is not set there, and the variables of the whole server were not seen"
    assert unseen(facts) == {"LONGSHORE_PLAN_KEY for production/apply": do}


@pytest.mark.parametrize(
    ("url", "whole"), [("https://gitlab.com/api/v4", False), ("https://gitlab.example.com/api/v4", True)]
)
def test_gitlab_com_has_no_variables_of_its_own_to_share(url: str, whole: bool) -> None:
    assert (audit.SERVER in audit.inherited(url, ["acme"]).values()) is whole


def test_a_server_that_fails_has_not_hidden_anything(there: Providers) -> None:
    there.answers[VARIABLES] = ALL
    there.groups(acme=[])
    there.hidden["/api/v4/groups/acme/variables"] = 500
    with pytest.raises(Precondition, match="GitLab does not say what is set: 500 Internal Server Error"):
        audit.gitlab(asking(there))


def test_every_page_is_asked_for(there: Providers) -> None:
    there.answers[VARIABLES] = [*(variable(f"OTHER_{number}") for number in range(60)), *ALL]
    assert wrong(audit.gitlab(asking(there))) == {}
    assert there.asked.count(VARIABLES) == 3


def test_github_shows_30_variables_at_once(there: Providers) -> None:
    others = [f"OTHER_{number}" for number in range(70)]
    there.github(PLACES, variables=[*others, "AWS_ROLE_ARN"], secrets=[*others, "LONGSHORE_PLAN_KEY"])
    assert wrong(audit.github(asking(there))) == {}


def test_a_job_of_gitlab_asks_its_own_server_about_its_own_project(there: Providers) -> None:
    there.answers["/api/v4/projects/7/variables"] = ALL
    there.things["/api/v4/projects/7"] = project("someone", "user")
    job = replace(SETTINGS.job, provider="gitlab", api=f"{there.address}/api/v4", project="7")
    base = replace(SETTINGS, job=job, pipeline=replace(SETTINGS.pipeline, gitlab=""))
    assert wrong(audit.gitlab(asking(there, base, gitlab_api=""))) == {}


@pytest.mark.parametrize(("status", "why"), [(401, "401 Unauthorized"), (403, "403 Forbidden"), (404, "404 Not Found")])
def test_an_answer_that_tells_nothing_is_no_set_of_variables(there: Providers, status: int, why: str) -> None:
    there.status = status
    with pytest.raises(Precondition, match=f"GitLab does not say what is set: {why}") as refused:
        audit.gitlab(asking(there))
    assert "maintainer of /projects/example%2Fshop" in refused.value.hint
    with pytest.raises(Precondition, match=f"GitHub does not say what is set: {why}"):
        audit.github(asking(there))


def test_an_answer_of_another_shape_is_none(there: Providers) -> None:
    there.answers[VARIABLES] = {"error": []}
    with pytest.raises(Precondition, match="GitLab cannot be asked"):
        audit.gitlab(asking(there))


def test_without_a_token_nobody_is_asked(there: Providers) -> None:
    with pytest.raises(Precondition, match="there is no token to ask GitHub with"):
        audit.github(asking(there, github_token=None))
    assert there.asked == []


def test_without_the_project_s_path_there_is_nothing_to_ask_for(there: Providers) -> None:
    base = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, gitlab=""))
    with pytest.raises(BadInput, match=r"\[pipeline\] gitlab does not name the project there"):
        audit.gitlab(asking(there, base))


def test_servers_and_tokens_are_those_of_their_own_tools() -> None:
    host = Host.read({"GITLAB_HOST": "gitlab.example.com", "GH_HOST": "github.com", "GITHUB_TOKEN": "of-seed"})
    assert (host.gitlab_api, host.github_api) == ("https://gitlab.example.com/api/v4", "")
    assert Host.read({"GITLAB_HOST": "https://git.example.com/"}).gitlab_api == "https://git.example.com/api/v4"
    assert Host.read({"GH_HOST": "git.example.com"}).github_api == "https://git.example.com/api/v3"
    assert host.github_token == Secret("of-seed")
    assert "of-seed" not in repr(host)
