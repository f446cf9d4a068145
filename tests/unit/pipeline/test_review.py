"""Review environments in both pipelines: who gets one, as whom, and how it ends."""

from __future__ import annotations

import re
from string import Template
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from longshore.pipeline import deadlines, github, gitlab, variables
from longshore.pipeline.jobs import STAGES, jobs
from longshore.pipeline.model import Event, Job, Role
from longshore.settings.pipeline import Review
from tests.unit.pipeline import github_expressions, gitlab_rules
from tests.unit.pipeline.events import AT_GITHUB, AT_GITLAB, BRANCH, CHECKS, OF_TWO, TWO, context, request
from tests.unit.pipeline.given import settings

WITHOUT = settings()
WITH = replace(TWO, pipeline=replace(TWO.pipeline, review=Review(environment="staging", hours=48)))
JOBS = {job.name: job for job in jobs(WITH)}
REVIEW = {"review", "review-stop", "review-prune"}
GITLAB: dict[str, Any] = yaml.safe_load(gitlab.render(WITH))
GITHUB: dict[str, Any] = yaml.safe_load(github.render(WITH))
OWN = "a request of the project's own branch"
SLOT = "staging/review/$CI_MERGE_REQUEST_IID"
# Names that GitLab makes one slug of, and that GitHub, which ignores case in names of groups, takes for one.
ALIKE = ("Feature/A", "feature/a", "feature-a", f"{'x' * 63}-1", f"{'x' * 63}-2")


def pull_request(action: str, head: str = "example/shop", repository: str = "example/shop") -> Any:
    name, given = context("pull_request", "refs/pull/7/merge", repository)
    given["github"]["event"] |= {"action": action, "pull_request": {"head": {"repo": {"full_name": head}}}}
    return name, given


def test_without_the_setting_no_pipeline_has_any_of_it() -> None:
    assert not REVIEW & {job.name for job in jobs(WITHOUT)}
    assert "invoke review" not in gitlab.render(WITHOUT) + github.render(WITHOUT)
    assert "closed" not in github.render(WITHOUT)


@pytest.mark.parametrize("event", AT_GITLAB)
def test_at_gitlab_the_projects_own_requests_alone_get_one(event: str) -> None:
    given, expected = AT_GITLAB[event]
    more: set[str] = set()
    if given["CI_PIPELINE_SOURCE"] == "merge_request_event" and OF_TWO.get(expected, expected) != CHECKS:
        more = {"review", "review-stop"}
    elif "drift" in expected:
        more = {"review-prune"}
    found = gitlab_rules.jobs(GITLAB, given)
    assert set(found) == OF_TWO.get(expected, expected) | more
    assert [name for name in more if found[name] == "manual"] == [name for name in more if name == "review-stop"]


@pytest.mark.parametrize("event", [event for event in AT_GITHUB if AT_GITHUB[event][0][0] != "pull_request"])
def test_at_github_no_push_gets_one(event: str) -> None:
    (name, given), expected = AT_GITHUB[event]
    more = {"review-prune"} if "drift" in expected else set()
    assert github_expressions.jobs(GITHUB, name, given) == OF_TWO.get(expected, expected) | more


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pull_request("opened"), CHECKS | {"review"}),
        (pull_request("synchronize"), CHECKS | {"review"}),
        (pull_request("opened", head="stranger/shop"), CHECKS),
        (pull_request("opened", "stranger/shop", "stranger/shop"), CHECKS),
        (pull_request("closed"), {"review-stop"}),
        (pull_request("closed", head="stranger/shop"), set()),
        (pull_request("closed", "stranger/shop", "stranger/shop"), set()),
    ],
)
def test_at_github_a_request_has_one_until_it_is_closed(given: Any, expected: set[str]) -> None:
    assert github_expressions.jobs(GITHUB, *given) == expected
    assert GITHUB[True]["pull_request"]["types"] == ["opened", "synchronize", "reopened", "closed"]


def test_a_forks_request_gets_none_at_gitlab_wherever_it_runs() -> None:
    assert set(gitlab_rules.jobs(GITLAB, request("2"))) == CHECKS
    assert REVIEW & set(gitlab_rules.jobs(GITLAB, request())) == {"review", "review-stop"}
    assert OF_TWO[BRANCH] < set(gitlab_rules.jobs(GITLAB, request()))


def test_gitlab_ends_it_with_its_branch_and_after_its_time() -> None:
    deploy, stop = GITLAB["review"]["environment"], GITLAB["review-stop"]["environment"]
    assert deploy == {"name": SLOT, "url": "$LONGSHORE_URL", "on_stop": "review-stop", "auto_stop_in": "48 hours"}
    assert stop == {"name": SLOT, "action": "stop"}
    assert GITLAB["review-prune"]["environment"] == {"name": "staging/review/prune", "action": "prepare"}
    assert GITLAB["review-stop"]["needs"] == [], "whatever became of the rest of the pipeline"


def at_gitlab(job: str, number: int, name: str) -> tuple[str, str]:
    """Return the environment and the group of JOB in the request NUMBER of the branch NAME, as GitLab expands them."""
    slug = re.sub("[^a-z0-9]", "-", name.lower())[:63].strip("-")
    given = request(CI_COMMIT_REF_NAME=name, CI_COMMIT_REF_SLUG=slug, CI_MERGE_REQUEST_IID=str(number))
    texts = (GITLAB[job]["environment"]["name"], GITLAB[job]["resource_group"])
    environment, group = (Template(text).substitute(given) for text in texts)
    return environment, group


def at_github(job: str, number: int, name: str) -> str:
    """Return the group of JOB in the request NUMBER of the branch NAME, as GitHub compares it."""
    given = {"github.head_ref": name, "github.event.number": str(number)}
    group = GITHUB["jobs"][job]["concurrency"]["group"]
    return re.sub(r"\$\{\{ (\S+) }}", lambda found: given[found[1]], group).lower()


def test_requests_of_branches_with_one_slug_share_neither_an_environment_nor_its_end() -> None:
    requests = list(enumerate(ALIKE, start=7))
    deployed, ended = ([at_gitlab(job, *each) for each in requests] for job in ("review", "review-stop"))
    assert deployed == ended, "its end is that of the same environment, and waits for its deployment"
    assert len({environment for environment, _ in deployed}) == len({group for _, group in deployed}) == len(ALIKE)


def test_no_request_at_github_cancels_what_waits_of_another() -> None:
    requests = list(enumerate(ALIKE, start=7))
    deployed, ended = ([at_github(job, *each) for each in requests] for job in ("review", "review-stop"))
    assert deployed == ended
    assert len(set(deployed)) == len(ALIKE)


def test_one_request_has_one_job_at_a_time_which_nothing_cancels() -> None:
    assert GITLAB["review"]["resource_group"] == GITLAB["review-stop"]["resource_group"] == SLOT
    groups = {GITHUB["jobs"][name]["concurrency"]["group"] for name in ("review", "review-stop")}
    assert groups == {"staging/review/${{ github.event.number }}"}
    assert not any(GITHUB["jobs"][name]["concurrency"]["cancel-in-progress"] for name in ("review", "review-stop"))


@pytest.mark.parametrize("name", sorted(REVIEW))
def test_its_jobs_have_a_role_of_their_own_and_no_secret_of_the_project(name: str) -> None:
    assert (JOBS[name].role, JOBS[name].scope) == (Role.REVIEW, "staging/review")
    assert GITHUB["jobs"][name]["environment"]["name"] == "staging/review"
    own = {"LONGSHORE_REQUEST": "${{ github.event.number }}"} if name != "review-prune" else {}
    assert GITHUB["jobs"][name]["env"] == {"AWS_ROLE_ARN": "${{ vars.AWS_ROLE_ARN }}"} | own
    assert "id_tokens" in GITLAB[name]


def test_no_file_has_the_name_of_a_branch_in_a_command() -> None:
    for name in REVIEW:
        assert JOBS[name].script == (f"invoke {name.replace('review', 'review.deploy').replace('deploy-', '')}",)
        assert GITLAB[name]["script"] == list(JOBS[name].script)


def test_nothing_that_reaches_users_needs_it() -> None:
    assert not [job.name for job in JOBS.values() if job.name not in REVIEW and REVIEW & set(job.needs)]
    assert STAGES.index(JOBS["review"].stage) >= STAGES.index("check")
    assert JOBS["review"].needs == ("lint", "tests", "scan")


def test_it_is_not_stopped_before_its_deadlines() -> None:
    staging = WITH.environment("staging")
    assert JOBS["review"].minutes >= deadlines.rollout(staging) + WITH.application.build_deadline / 60
    assert JOBS["review-stop"].minutes * 60 >= staging.lease_wait + 180


def test_who_sets_variables_is_told_of_the_role_and_that_branches_need_it() -> None:
    (role,) = [each for each in variables.variables(WITH) if each.scopes == ("staging/review",)]
    assert (role.name, role.protected) == ("AWS_ROLE_ARN", False)
    assert any("staging/review/*" in sentence for sentence in variables.advice(WITH))
    assert not any("staging/review" in sentence for sentence in variables.advice(TWO))


def test_an_end_is_an_event_of_its_own() -> None:
    events: dict[str, Job] = JOBS
    assert events["review-stop"].events == {Event.CLOSED}
    assert [name for name, job in JOBS.items() if Event.CLOSED in job.events] == ["review-stop"]
