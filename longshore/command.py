"""A command is data: what would run, never the running of it."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class Kind(enum.Enum):
    """Whether a command only reads, or alters something outside the project's cache."""

    QUERY = "query"
    CHANGE = "change"


class Secret:
    """A value that has no readable form unless asked for by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; only the runner has a reason to call this."""
        return self._value

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, kw_only=True)
class Command:
    """One program call.

    `deadline` is in seconds and absolute: the whole process group ends by then. `env` is added to the runner's own
    environment; a `Secret` in it, in `stdin` or in `secrets` is redacted from everything the command prints.
    """

    argv: tuple[str, ...]
    kind: Kind
    deadline: float = 60.0
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    cwd: Path | None = None
    stdin: str | Secret | None = None
    secrets: tuple[Secret, ...] = ()
    survives: bool = False  # writes to a file, not to a pipe, so that it finishes its work if we are killed
    private: bool = False  # what it prints is a credential: no log keeps it
    grace: float = 10.0  # seconds between TERM and KILL; Terraform needs longer than most to leave its lock

    @property
    def text(self) -> str:
        """The command as a person would type it."""
        return shlex.join(self.argv)


def query(*argv: str, **options: object) -> Command:
    """Describe a command that only reads: it runs under --dry-run too."""
    return Command(argv=argv, kind=Kind.QUERY, **options)  # type: ignore[arg-type]


def change(*argv: str, **options: object) -> Command:
    """Describe a command that alters something: --dry-run prints it."""
    return Command(argv=argv, kind=Kind.CHANGE, **options)  # type: ignore[arg-type]
