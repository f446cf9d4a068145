"""Which commit a protected environment takes."""

from __future__ import annotations

from typing import Any, cast

import pytest

from longshore.errors import Precondition
from longshore.rollout import guard
from longshore.rollout.guard import Source
from longshore.rollout.records import GOOD, Release
from longshore.runner import Result, Runner
from longshore.settings import Environment

NEW, RUNS = "b" * 40, "a" * 12
PROTECTED = Environment(name="production", protected=True)


class Git:
    """Answers what git would: which commits are on a remote branch, and which contains which."""

    def __init__(
        self, *, pushed: bool = True, contains: tuple[tuple[str, str], ...] = (), **environ: str
    ) -> None:
        self.environ, self.pushed, self.contains = environ, pushed, contains

    def run(self, command: Any, *, check: bool = True) -> Result:
        if "--contains" in command.argv:
            return self.said(0, "  origin/main\n" if self.pushed else "")
        older, newer = command.argv[-2:]
        return self.said(0 if (older, newer) in self.contains else 1)

    def said(self, exit_code: int, stdout: str = "") -> Result:
        return Result(exit_code=exit_code, stdout=stdout, tail="", seconds=0, log=None)


def released(revision: str = RUNS) -> list[Release]:
    return [
        Release(
            number=7,
            revision=revision,
            digest="",
            actor="",
            started="",
            finished="",
            verdict=GOOD,
            cause="",
            manifest="",
        )
    ]


def ask(git: Git, releases: list[Release], environment: Environment = PROTECTED, **source: bool) -> None:
    guard.revision(environment, cast("Runner", git), Source(commit=NEW, **source), releases)


def test_a_commit_that_contains_what_runs_is_taken() -> None:
    ask(Git(contains=((RUNS, NEW),)), released())


def test_the_commit_that_runs_is_taken_again() -> None:
    ask(Git(), released(NEW[:12]))


def test_the_first_release_has_nothing_to_be_older_than() -> None:
    ask(Git(), [])


def test_a_commit_that_is_nowhere_but_here_is_refused() -> None:
    with pytest.raises(Precondition, match="on no remote branch"):
        ask(Git(pushed=False), [])


def test_a_jobs_own_commit_was_pushed_whatever_its_clone_knows() -> None:
    ask(Git(pushed=False, CI_COMMIT_SHA=NEW), [])


def test_an_older_commit_is_refused_by_the_release_that_runs() -> None:
    with pytest.raises(Precondition, match=f"is older: release 7 serves {RUNS}"):
        ask(Git(contains=((NEW, RUNS),)), released())


def test_a_commit_beside_what_runs_is_refused() -> None:
    with pytest.raises(Precondition, match="does not contain what runs"):
        ask(Git(), released())


def test_an_older_commit_is_taken_where_it_is_asked_for() -> None:
    ask(Git(contains=((NEW, RUNS),)), released(), allow_older=True)


def test_an_environment_that_is_not_protected_takes_any() -> None:
    ask(Git(pushed=False), released(), Environment(name="local"))
