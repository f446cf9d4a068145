"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from longshore.errors import Failure
from longshore.process.runner import Runner
from longshore.settings.model import Environment


class Finding(Struct, frozen=True):
    """A row: whether WHAT is fine, None where that is not known; what to DO if it is not, or why it is not known."""

    fine: bool | None
    what: str
    do: str = ""


class Place(Struct, frozen=True, kw_only=True):
    """What is examined: an environment in AWS, and the Terraform `variables` that would be applied to it.

    `gitlab` and `github` are the project whose pipeline deploys there, empty where the settings name none.
    """

    project: str
    environment: Environment
    variables: Mapping[str, Any]
    runner: Runner
    gitlab: str = ""
    github: str = ""

    @property
    def cluster(self) -> str:
        """The name that terraform/ gives the cluster."""
        return f"{self.project}-{self.environment.name}"


Check = Callable[[Place], Iterable[Finding]]


def found(what: str, check: Check, place: Place) -> list[Finding]:
    """Return the findings of CHECK; one that says why WHAT is not known where it could not be carried out."""
    try:
        return list(check(place))
    except Failure as problem:
        return [Finding(None, what, problem.sentence)]
