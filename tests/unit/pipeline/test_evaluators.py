"""The two evaluators, operator by operator: they decide what `test_events` shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipeline import github_expressions, gitlab_rules

SET = {"A": "x", "B": "x", "C": "y", "EMPTY": ""}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("$A", True),
        ("$EMPTY", False),
        ("$UNSET", False),
        ('$A == "x"', True),
        ("$A == 'y'", False),
        ("$A == $B", True),
        ("$A == $C", False),
        ("$UNSET == null", True),
        ("$EMPTY == null", False),
        ('$EMPTY == ""', True),
        ('$UNSET == ""', False),
        ('$UNSET != "x"', True),
        ("$A != $B", False),
        ("$A =~ /^X$/", False),
        ("$A =~ /^X$/i", True),
        ("$UNSET =~ /x/", False),
        ("$A !~ /y/", True),
        ("$A && $UNSET", False),
        ("$A || $UNSET", True),
        ('$A == "y" && $B || $C', True),
        ('$A == "y" && ($B || $C)', False),
        ('($A == "x")', True),
    ],
)
def test_gitlabs_operators(condition: str, holds: bool) -> None:
    assert gitlab_rules.Expression(condition).holds(SET) is holds


@pytest.mark.parametrize("condition", ["$A ==", "$A = 'x'", "($A", "$A $B", '$A =~ "x"', "&& $A", "A"])
def test_what_gitlab_refuses(condition: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        gitlab_rules.Expression(condition).holds(SET)


WORKFLOW = {"workflow": {"rules": [{"if": "$A", "when": "never"}, {"when": "always"}]}}


def gitlab(variables: dict[str, str], **jobs: Any) -> dict[str, str]:
    return gitlab_rules.jobs(WORKFLOW | jobs, variables)


def test_the_first_rule_that_fits_decides() -> None:
    job = {"rules": [{"if": "$B", "when": "manual"}, {"if": "$B", "when": "never"}, {"if": "$C"}]}
    assert gitlab({"B": "1"}, job=job) == {"job": "manual"}
    assert gitlab({"C": "1"}, job=job) == {"job": "on_success"}
    assert gitlab({}, job=job) == {}
    assert gitlab({"A": "1", "B": "1"}, job=job) == {}, "no pipeline, no job"


def test_a_need_that_is_not_there_is_refused_unless_it_is_optional() -> None:
    absent = {"rules": [{"if": "$B"}]}
    assert gitlab({}, one=absent, two={"needs": [{"job": "one", "optional": True}]}) == {"two": "on_success"}
    with pytest.raises(ValueError, match="two needs one"):
        gitlab({}, one=absent, two={"needs": [{"job": "one"}]})


def test_a_rule_that_asks_for_files_is_not_understood() -> None:
    with pytest.raises(ValueError, match="changes"):
        gitlab({}, job={"rules": [{"changes": ["application/**/*"]}]})


CONTEXT = {"github": {"ref": "refs/heads/main", "event": {"repository": {"default_branch": "main"}}}, "inputs": {}}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("github.ref == 'refs/heads/main'", True),
        ("github.ref == 'REFS/heads/MAIN'", True),
        ("github.ref != 'refs/heads/main'", False),
        ("inputs.do != 'rollback'", True),
        ("inputs.do == ''", True),
        ("inputs.do == null", True),
        ("!inputs.do", True),
        ("github.ref && inputs.do", False),
        ("inputs.do || github.ref", True),
        ("false && true || true", True),
        ("false && (true || true)", False),
        ("startsWith(github.ref, 'refs/heads/')", True),
        ("startsWith(github.ref, 'refs/tags/')", False),
        ("github.ref == format('refs/heads/{0}', github.event.repository.default_branch)", True),
        ("always()", True),
        ("github.ref == 'it''s'", False),
        ("${{ true }}", True),
    ],
)
def test_githubs_operators(condition: str, holds: bool) -> None:
    assert github_expressions.Expression(condition).holds(CONTEXT) is holds


@pytest.mark.parametrize(
    "condition", ["github.ref ==", "(true", "true true", 'github.ref == "x"', "&& true", "nothing()"]
)
def test_what_github_refuses(condition: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        github_expressions.Expression(condition).holds(CONTEXT)


def github(event: str, **jobs: Any) -> set[str]:
    return github_expressions.jobs({True: {"push": None}, "jobs": jobs}, event, CONTEXT)


def test_a_job_is_skipped_with_one_that_it_needs() -> None:
    assert github("push", one={"if": "false"}, two={"needs": ["one"]}, three={}) == {"three"}
    assert github("issues", three={}) == set()
    with pytest.raises(ValueError, match="two needs"):
        github("push", two={"needs": ["one"]})
