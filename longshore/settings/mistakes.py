"""What is wrong in longshore.toml, with the line, the expected value and the nearest known key.

msgspec decides what is wrong. Its messages leave out the keys of tables of tables (`$.environments[...].bake`), so a
document that it refuses is narrowed down, table by table, to the smallest part that it still refuses.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from longshore.errors import BadInput

FILE = "longshore.toml"
NAMES = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}
NAMES |= {"array": "a list", "object": "a table"}

Keys = tuple[str, ...]


def convert(data: dict[str, Any], into: type[Any], text: str, variables: Mapping[str, Keys]) -> Any:
    """Return DATA as an instance of INTO. Raises BadInput for the first mistake.

    TEXT is the file it comes from, VARIABLES are the environment variables that set a value in it, and where.
    """
    try:
        return msgspec.convert(data, into)
    except msgspec.ValidationError:
        path, value, kind, message = _narrow((), data, into)
    fields = {field.name: field for table in _tables(kind) for field in msgspec.structs.fields(table)}
    if unknown := re.search("unknown field `(.*)`", message):
        near = difflib.get_close_matches(unknown[1], fields, n=1)
        path, problem = (*path, unknown[1]), "is not a setting"
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(fields)}"
    elif missing := re.search("missing required field `(.*)`", message):
        hint = f"add `{missing[1]} = …` under [{'.'.join(path)}]" if path else "add [project] and [environments.NAME]"
        path, problem = (*path, missing[1]), "is missing"
    else:
        shown = {dict: "a table", list: "a list", bool: str(value).lower()}.get(type(value), repr(value))
        problem = f"is {shown}, not {_expected(kind, message)}"
        hint = f"the comments in {FILE} say what each key takes"
    raise BadInput(f"{where(text, path, variables)} {problem}", hint=hint)


def where(text: str, path: Keys, variables: Mapping[str, Keys]) -> str:
    """Return `longshore.toml:12: environments.local.region`, or `LONGSHORE__…: …` if such a variable sets it."""
    variable = next((name for name, at in variables.items() if path == at[: len(path)] or at == path[: len(at)]), "")
    return f"{variable or f'{FILE}:{_line(text, path)}'}: {'.'.join(path)}"


def _line(text: str, path: Keys) -> int:
    """Return the number of the line that sets the key at PATH or, failing that, begins the closest table around it."""
    table: Keys = ()
    closest, line = 0, 1
    for number, content in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", content):
            here = table = _split(header[1])
        elif key := re.match(r"\s*([\w.\-\"']+)\s*=", content):
            here = (*table, *_split(key[1]))
        else:
            continue
        shared = min(len(here), len(path))
        if here[:shared] == path[:shared] and shared > closest:
            closest, line = shared, number
    return line


def _split(dotted: str) -> Keys:
    return tuple(key.strip().strip("\"'") for key in dotted.split("."))


def _narrow(path: Keys, value: Any, kind: Any) -> tuple[Keys, Any, Any, str]:
    """Return the smallest part of VALUE that is wrong: its path, itself, its expected type and msgspec's message."""
    for key, part, expected in _parts(value, kind):
        if _message(part, expected):
            return _narrow((*path, key), part, expected)
    return path, value, kind, _message(value, kind)


def _parts(value: Any, kind: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the entries of VALUE with the types that KIND expects; the keys of a table are entries, too."""
    if isinstance(value, dict):
        for table in _tables(kind):
            types = {field.name: field.type for field in msgspec.structs.fields(table)}
            yield from ((key, part, types[key]) for key, part in value.items() if key in types)
    for option in _options(kind):
        expected = get_args(option)
        if get_origin(option) is dict and isinstance(value, dict):
            for key, part in value.items():
                yield from ((key, key, expected[0]), (key, part, expected[1]))
        elif get_origin(option) in (list, tuple) and isinstance(value, list):
            yield from ((str(index), part, expected[0]) for index, part in enumerate(value))


def _options(kind: Any) -> tuple[Any, ...]:
    """Return the types that KIND is a union of, or KIND alone; without constraints."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(plain) if get_origin(plain) is UnionType else (plain,)


def _tables(kind: Any) -> list[type[msgspec.Struct]]:
    return [option for option in _options(kind) if isinstance(option, type) and issubclass(option, msgspec.Struct)]


def _message(value: Any, kind: Any) -> str:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        return str(problem)
    return ""


def _expected(kind: Any, message: str) -> str:
    """Return in words what KIND accepts."""
    for option in (kind, *(get_args(kind) if get_origin(kind) is Union else ())):
        if get_origin(option) is Annotated:
            return str(option.__metadata__[0].description)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    expected = message.partition("`")[2].partition("`")[0].removesuffix(" | null")
    return " or ".join(NAMES.get(name, name) for name in expected.split(" | "))
