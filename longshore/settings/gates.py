"""The tables that say which checks run and when: `[gates]`, steps of your own, the cache of results."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from longshore.settings.values import (
    Account,
    Cores,
    Deadline,
    Group,
    Inside,
    Plain,
    Python,
    Reason,
    Region,
    Requirement,
    StepName,
    Variable,
    Word,
)

GROUPS = ("lint", "test", "scan")
SMOKE_TESTS = "tests/smoke"  # they are a release's, and run against its address
Program = Annotated[list[Word], Meta(min_length=1, description="a program and its arguments")]
Tests = Annotated[
    str,
    Meta(
        pattern=r"^(?!/)(?!(.*/)?\.\.(/|\Z))[^\0]+\Z", description="a folder of the project, or a file of tests in it"
    ),
]
Paths = Annotated[list[Tests], Meta(min_length=1, description="a list of at least one file or folder of the project")]


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gates.tests.SUITE.services.NAME]`: a program `run` with its arguments, no shell, that is there for the tests.

    It has to listen within `deadline` seconds on `{port}` of 127.0.0.1, a free one; `{folder}` is an empty folder. Both
    go with it. They are filled into `run` and into the values of `env`, variables that the tests get.
    """

    run: Program
    env: dict[Variable, str] = {}
    deadline: Deadline = 60.0


class Suite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gates.tests.NAME]`: the tests under `paths`, which run again when a file under `reads` has changed.

    `covers` are the packages whose coverage the report states. `cores` are kept busy; a suite that mostly waits gets 0.
    `env` are variables of the shell that the tests get, beside PATH, HOME, locale and proxies. `services` run beside
    them.

    The rest says what the application's own virtualenv has for them, beside what its lock pins. `python` is a version
    or a program, as uv takes it; without it, the one that the sources name. `install` are files of requirements, extras
    of the project (`.[test]`) and requirements, `groups` dependency groups of pyproject.toml.
    """

    paths: Paths
    reads: list[str]
    env: list[Variable] = []
    services: dict[StepName, Service] = {}
    python: Python = ""
    install: list[Requirement] = []
    groups: list[Group] = []
    covers: list[str] = []
    cores: Cores = 1


class UsualTests(Suite, frozen=True, kw_only=True):
    """The suite where nobody has said which there are: it is in the first of `paths` that has tests.

    Only the run's sources tell which that is.
    """


def _unit_tests() -> dict[str, Suite]:
    return {"unit": UsualTests(paths=["tests/unit", "tests", "test"], reads=["**"])}


class Gate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gates.lint]`, `test` or `scan`: what stands in place of our checks of that group. Without the table, ours run.

    `run` is a program of the project's with its arguments, no shell, that runs in a folder with the run's sources; exit
    code 0 is success. The rest is as in `[steps.NAME]`, but it `reads` everything unless it says what. Or `off` says
    why nothing runs.
    """

    run: Program = []
    off: Reason = ""
    reads: list[str] = []
    tools: list[str] = []
    env: list[Variable] = []
    reports: list[Plain] = []
    deadline: Deadline = 600.0


class Gates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gates]`: how strict the checks are, and whose.

    `dependencies` says what an unreachable advisory source means, `virtualenv` whose has the tests and the types: the
    application's `own`, made from its lock, or `ours`. Unset, it is its own unless its sources say that they are
    developed beside Longshore.
    """

    dependencies: Literal["required", "when-reachable"] = "when-reachable"
    virtualenv: Literal["own", "ours"] | None = None
    tests: dict[StepName, Suite] = field(default_factory=_unit_tests)
    lint: Gate = Gate()
    test: Gate = Gate()
    scan: Gate = Gate()

    def of(self, group: str) -> Gate:
        """Return what is said of GROUP."""
        return {"lint": self.lint, "test": self.test, "scan": self.scan}[group]

    @property
    def off(self) -> dict[str, str]:
        """The groups that are off, and why."""
        return {group: self.of(group).off for group in GROUPS if self.of(group).off}


class Own(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[steps.NAME]`: a step of your own: the program `run` with its arguments, no shell. Exit code 0 is success.

    `reads` are file patterns, `tools` installed distributions or programs whose version counts, `env` variables of the
    shell that it gets, beside PATH, HOME, locale and proxies. When the step has succeeded with the same inputs before,
    it is skipped and its `reports` come from the cache. It runs after the steps in `needs`; the step `before` waits for
    it; the command of its gate `group` runs it too. A step that `changes` something runs every time. `deadline` is in
    seconds.
    """

    run: Program
    title: str = ""
    reads: list[str] = []
    tools: list[str] = []
    env: list[Variable] = []
    reports: list[Inside] = []
    needs: list[str] = []
    before: str = "release"
    group: Literal["", "lint", "test", "scan"] = ""
    changes: bool = False
    cores: Cores = 1
    deadline: Deadline = 600.0


class Results(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cache]`: how many MB of results are kept here, and the bucket (`s3://name/prefix`) that shares them, if any.

    Everybody trusts what is in the bucket, so `write` says who may write there: jobs of protected refs, all, or none;
    and it is used only if it belongs to `account`, since anybody may own a bucket of any name.
    """

    limit: Annotated[int, Meta(ge=1, description="1 MB or more")] = 512
    remote: Annotated[str, Meta(pattern="^(s3://[a-z0-9.-]{3,63}(/.*)?)?$", description="s3://BUCKET/PREFIX")] = ""
    account: Account = ""
    region: Region | None = None
    write: Literal["protected", "always", "never"] = "protected"
