"""The tables of longshore.toml that say what runs when: gates, steps of one's own, the cache of results."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of these tables: frozen, and a stranger among the keys is an error."""


class Suite(Table, frozen=True):
    """`[gates.tests.NAME]`: tests that run together, under `paths`, again only when something under `reads` has changed.

    `covers` are the packages whose lines they should reach; the report says which share of them that is. `cores` is what it keeps busy:
    one that mostly waits is given 0, and runs beside whatever else does.
    """

    paths: list[str]
    reads: list[str]
    covers: list[str] = []
    cores: Annotated[float, msgspec.Meta(ge=0)] = 1


def _unit_tests() -> dict[str, Suite]:
    reads = ["application", "tests/unit", "requirements", "pyproject.toml"]
    return {"unit": Suite(paths=["tests/unit"], reads=reads)}


class Gates(Table, frozen=True):
    """`[gates]`: how strict the checks are. `dependencies`: what an unreachable advisory source means."""

    dependencies: Literal["required", "when-reachable"] = "when-reachable"
    tests: dict[str, Suite] = msgspec.field(default_factory=_unit_tests)


class Own(Table, frozen=True):
    """`[steps.NAME]`: a step of one's own: the program `run` with its arguments, no shell; exit code 0 is success.

    `reads` are patterns of files, `tools` installed distributions or programs whose version counts; the same inputs as at an earlier
    success mean that it does not run, and its `reports` come out of the cache. `needs` are steps that it runs after, `before` is the step
    that waits for it, `group` a gate's group whose command runs it too. One that `changes` something runs each time.
    """

    run: Annotated[list[str], msgspec.Meta(min_length=1)]
    title: str = ""
    reads: list[str] = []
    tools: list[str] = []
    reports: list[str] = []
    needs: list[str] = []
    before: str = "release"
    group: Literal["", "lint", "test", "scan"] = ""
    changes: bool = False
    cores: float = 1
    deadline: float = 600.0


class Results(Table, frozen=True):
    """`[cache]`: what is kept of results: at most `limit` MB here, and where `remote` names a bucket (`s3://name/prefix`), there as well.

    `write` says who may put results there, which all others believe: jobs of protected refs, anybody, nobody. `region` is the bucket's.
    """

    limit: Annotated[int, msgspec.Meta(ge=1)] = 512
    remote: Annotated[str, msgspec.Meta(pattern="^(s3://[a-z0-9.-]{3,63}(/.*)?)?$")] = ""
    region: str = ""
    write: Literal["protected", "always", "never"] = "protected"
