"""Environment variables that override a key of longshore.toml: `LONGSHORE__ENVIRONMENTS__LOCAL__NAMESPACE=other`.

Its value is TOML or, failing that, text. What a protected environment is, and what runs, is not for a variable to say:
whoever reviews the file has to see it. An environment may be made a protected one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from longshore.errors import BadInput
from longshore.settings.mistakes import FILE, Keys

PREFIX = "LONGSHORE__"
FIXED = ("gates", "pipeline", "steps")


def apply(data: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Keys]:
    """Put the values of LONGSHORE__… variables into DATA; return the variables and the path that each one sets.

    Raises BadInput for one that says what a variable may not.
    """
    variables = {key: tuple(key.removeprefix(PREFIX).lower().split("__")) for key in environ if key.startswith(PREFIX)}
    written = _environments(data)
    protected = {name for name, table in written.items() if table.get("protected")}
    accounts = {name: table.get("account") for name, table in written.items()}
    for variable, path in sorted(variables.items()):
        _refuse(variable, path, set(written), protected)
        _put(data, variable, path, environ[variable])
        for name, table in _environments(data).items():
            account = table.get("account")
            if account and account != accounts[name] and account in {accounts[other] for other in protected}:
                raise BadInput(
                    f"{variable}: environments.{name} would get the account of a protected environment",
                    hint=f"set it in {FILE}",
                )
    return variables


def _refuse(variable: str, path: Keys, known: set[str], protected: set[str]) -> None:
    key, hint = ".".join(path), f"set it in {FILE}, where it can be reviewed"
    if path[0] in FIXED:
        raise BadInput(f"{variable}: {key} decides what runs, which no variable overrides", hint=hint)
    if path[0] != "environments":
        return
    if len(path) == 1 or path[1] not in known:
        raise BadInput(f"{variable}: {FILE} has no such environment, and no variable adds one", hint=hint)
    if path[1] in protected:
        raise BadInput(f"{variable}: {path[1]} is protected, and no variable overrides what it is", hint=hint)


def _put(data: dict[str, Any], variable: str, path: Keys, text: str) -> None:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    table = data
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise BadInput(f"{variable}: {part} is not a table", hint=f"{FILE} shows the path of each key")
    table[path[-1]] = value


def _environments(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tables = data.get("environments")
    items = tables.items() if isinstance(tables, dict) else ()
    return {name: table for name, table in items if isinstance(table, dict)}
