"""For each event, exactly these jobs, at GitLab and at GitHub. Which files were changed is never asked."""

from __future__ import annotations

import pytest
import yaml

from longshore.pipeline import github, gitlab
from tests.unit.pipeline import github_expressions, gitlab_rules
from tests.unit.pipeline.events import AT_GITHUB, AT_GITLAB, BACK_OF_TWO, BY_HAND, BY_HAND_OF_TWO, OF_TWO, SETTINGS, TWO

GITLAB = yaml.safe_load(gitlab.render(SETTINGS))
GITHUB = yaml.safe_load(github.render(SETTINGS))
GITLAB_OF_TWO, GITHUB_OF_TWO = yaml.safe_load(gitlab.render(TWO)), yaml.safe_load(github.render(TWO))


@pytest.mark.parametrize("event", AT_GITLAB)
def test_gitlab_has_exactly_these_jobs(event: str) -> None:
    variables, expected = AT_GITLAB[event]
    found = gitlab_rules.jobs(GITLAB, variables)
    assert set(found) == expected
    assert {name for name, when in found.items() if when == "manual"} == expected & BY_HAND


@pytest.mark.parametrize("event", AT_GITLAB)
def test_gitlab_has_exactly_these_jobs_for_two_environments(event: str) -> None:
    variables, expected = AT_GITLAB[event]
    found = gitlab_rules.jobs(GITLAB_OF_TWO, variables)
    assert set(found) == OF_TWO.get(expected, expected)
    manual = {name for name, when in found.items() if when == "manual"}
    assert manual == set(found) & (BY_HAND_OF_TWO | BACK_OF_TWO)


@pytest.mark.parametrize("event", AT_GITHUB)
def test_github_has_exactly_these_jobs(event: str) -> None:
    (name, given), expected = AT_GITHUB[event]
    assert github_expressions.jobs(GITHUB, name, given) == expected


@pytest.mark.parametrize("event", AT_GITHUB)
def test_github_has_exactly_these_jobs_for_two_environments(event: str) -> None:
    (name, given), expected = AT_GITHUB[event]
    assert github_expressions.jobs(GITHUB_OF_TWO, name, given) == OF_TWO.get(expected, expected)


def test_at_least_28_events_are_told_at_both() -> None:
    assert min(len(AT_GITLAB), len(AT_GITHUB)) >= 28
