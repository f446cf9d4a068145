"""Which commit a protected environment takes."""

from __future__ import annotations

from typing import Any, cast

from longshore.errors import Precondition
from longshore.process.runner import Result, Runner
from longshore.rollout import guard
from longshore.rollout.records import Release
from longshore.settings.model import Environment
from tests.unit.rollout.kubectl import result
from tests.unit.rollout.things import recorded

NEW, RUNS = "b" * 40, "a" * 12
PROTECTED = Environment(name="production", protected=True)


class Git:
    """Answers what git would: which commit contains which."""

    def __init__(self, *, contains: tuple[tuple[str, str], ...] = ()) -> None:
        self.contains = contains

    def run(self, command: Any, *, check: bool = True) -> Result:
        older, newer = command.argv[-2:]
        return result(exit_code=0 if (older, newer) in self.contains else 1)


def released(revision: str = RUNS) -> list[Release]:
    return [recorded(7, revision=revision)]


def refusal(
    git: Git, releases: list[Release], environment: Environment = PROTECTED, *, commit: str = NEW, **options: bool
) -> str:
    """The sentence that refuses the commit; empty if it may be released."""
    try:
        guard.revision(environment, cast("Runner", git), commit, releases, **options)
    except Precondition as problem:
        return problem.sentence
    return ""


def test_a_commit_that_contains_what_runs_is_taken() -> None:
    assert refusal(Git(contains=((RUNS, NEW),)), released()) == ""


def test_the_commit_that_runs_is_taken_again() -> None:
    assert refusal(Git(), released(NEW[:12])) == ""


def test_the_first_release_has_nothing_to_be_older_than() -> None:
    assert refusal(Git(), []) == ""


def test_an_older_commit_is_refused_by_the_release_that_runs() -> None:
    assert f"is older: release 7 serves {RUNS}" in refusal(Git(contains=((NEW, RUNS),)), released())


def test_a_commit_beside_what_runs_is_refused() -> None:
    assert "does not contain what runs" in refusal(Git(), released())


def test_an_older_commit_is_taken_where_it_is_asked_for() -> None:
    assert refusal(Git(contains=((NEW, RUNS),)), released(), allow_older=True) == ""


def test_an_environment_that_is_not_protected_takes_any() -> None:
    assert refusal(Git(), released(), Environment(name="local")) == ""
