"""Options of commands that are more than text."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

Number = TypeVar("Number", int, float)


def number(option: str, text: str, kind: type[Number], lowest: int, highest: int) -> Number:
    """Return TEXT, which --OPTION was given, as a number. Raises BadInput where it is none, or out of range.

    Tasks declare such options as text, since Invoke itself has only a traceback for what is no number.
    """
    from longshore.errors import BadInput

    with suppress(ValueError):
        if lowest <= (value := kind(text)) <= highest:
            return value
    what = {"int": "a whole number", "float": "a number"}[kind.__name__]
    hint = "`invoke --help COMMAND` explains each option"
    raise BadInput(f"--{option} is {text!r}, not {what} from {lowest} to {highest}", hint=hint)
