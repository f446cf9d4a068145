"""What is wrong in longshore.toml, said with the file, the line and the nearest right word."""

from __future__ import annotations

import difflib
import math
import re
import typing
from typing import Any

import msgspec

from longshore.errors import BadInput

FILE = "longshore.toml"
COMPUTED = {"name", "id", "state", "run", "aws_env"}  # made by settings.py, never written by a person
TOML_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line on which the key at PATH, or the nearest table around it, stands; 1 where nothing is found."""
    table: tuple[str, ...] = ()
    best = (0, 1)
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            here = table
        elif key := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            here = (*table, *(part.strip("\"'") for part in key[1].split(".")))
        else:
            continue
        if here == path[: len(here)] and len(here) > best[0]:
            best = (len(here), number)
    return best[1]


def place_of(text: str, path: tuple[str, ...]) -> str:
    """Return `longshore.toml:12: environments.local.region`."""
    return f"{FILE}:{line_of(text, path)}: {'.'.join(path)}"


def check_keys(data: dict[str, Any], into: type[Any], text: str, path: tuple[str, ...] = ()) -> None:
    """Raise BadInput for the first key that INTO does not have, or required key that is missing, at any depth."""
    fields = {field.name: field for field in msgspec.structs.fields(into)}
    for key, value in data.items():
        here = (*path, key)
        computed = path and path[0] == "environments" and key in COMPUTED
        if key not in fields or computed:
            known = [name for name in fields if name not in COMPUTED or not path or path[0] != "environments"]
            near = difflib.get_close_matches(key, known, n=1)
            raise BadInput(
                f"{place_of(text, here)} is not a setting",
                hint=f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}",
            )
        _check_value(value, fields[key].type, text, here)
    for name, field in fields.items():
        if field.required and name not in data:
            raise BadInput(
                f"{FILE} lacks {'.'.join((*path, name))}",
                hint=f"add `{name} = …` under [{'.'.join(path) or name}]",
            )


def check_numbers(table: Any, where: tuple[str, ...], text: str) -> None:
    """Raise BadInput for a number in the environment TABLE that nothing could work with."""
    ports = {("local", "aws_port"): table.local.aws_port} if table.local else {}
    for key, port in ports.items():
        if not 1024 <= port <= 65535:
            raise BadInput(f"{place_of(text, (*where, *key))} is {port}, not a port from 1024 to 65535")
    for field in ("rollout_deadline", "verify_deadline"):
        seconds = getattr(table, field)
        if not 1 <= seconds <= 86400:
            raise BadInput(f"{place_of(text, (*where, field))} is {seconds}, not 1 to 86400 seconds")
    if not 2 <= table.keep_releases <= 1000:
        raise BadInput(f"{place_of(text, (*where, 'keep_releases'))} is {table.keep_releases}, not 2 to 1000")


def _check_value(value: Any, kind: Any, text: str, here: tuple[str, ...]) -> None:
    options = typing.get_args(kind) if typing.get_origin(kind) is not dict else ()
    struct = next(
        (o for o in (kind, *options) if isinstance(o, type) and issubclass(o, msgspec.Struct)), None
    )
    if struct:
        if not isinstance(value, dict):
            raise BadInput(
                f"{place_of(text, here)} is a table, not a value", hint=f"write [{'.'.join(here)}]"
            )
        check_keys(value, struct, text, here)
    elif typing.get_origin(kind) is dict:
        inner = typing.get_args(kind)[1]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            for name, table in value.items() if isinstance(value, dict) else ():
                _check_value(table, inner, text, (*here, name))
    elif kind in TOML_NAMES and not _fits(value, kind):
        raise BadInput(f"{place_of(text, here)} is {value!r}, not {TOML_NAMES[kind]}")


def _fits(value: Any, kind: type) -> bool:
    if kind is float:
        return (
            isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
        )  # nan is no number here
    return type(value) is kind
