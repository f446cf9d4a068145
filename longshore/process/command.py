"""A command is data: a description of what to run."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field


class Kind(enum.Enum):
    """Whether a command only reads, or changes something outside the project's cache."""

    QUERY = "query"
    CHANGE = "change"


class Secret:
    """A value that shows itself only to `reveal`, never in text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for whoever passes it on to a program or a server."""
        return self._value

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Command(Struct, frozen=True, kw_only=True):
    """One program call.

    `deadline` is in seconds and absolute: the whole process group ends by then. `grace` is the seconds between TERM and
    KILL; Terraform needs longer than most to release its lock. `takes` names the variables of the shell (`*` stands for
    any text) that it gets beside those that any program may need; `env` are more, with their values. A `Secret` in it,
    in `stdin` or in `secrets` is redacted from everything the command prints. A command that `survives` writes to a
    file, not to a pipe, so that it finishes its work if we are killed. What a `private` one prints is a credential, or
    a file to be read as it is, so no log keeps it.
    """

    argv: tuple[str, ...]
    kind: Kind
    deadline: float = 60.0
    takes: tuple[str, ...] = ()
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    cwd: Path | None = None
    stdin: str | Secret | None = None
    secrets: tuple[Secret, ...] = ()
    survives: bool = False
    private: bool = False
    grace: float = 10.0

    @property
    def text(self) -> str:
        """The command as a person would type it."""
        return shlex.join(self.argv)

    @property
    def program(self) -> str:
        """The program's name, without its folder."""
        return Path(self.argv[0]).name

    @property
    def all_secrets(self) -> tuple[Secret, ...]:
        """What must not be readable in the command's output."""
        values = (*self.env.values(), self.stdin)
        return (*self.secrets, *(value for value in values if isinstance(value, Secret)))


def query(*argv: str, **options: object) -> Command:
    """Describe a command that only reads."""
    return Command(argv=argv, kind=Kind.QUERY, **options)  # type: ignore[arg-type]


def change(*argv: str, **options: object) -> Command:
    """Describe a command that changes something."""
    return Command(argv=argv, kind=Kind.CHANGE, **options)  # type: ignore[arg-type]
