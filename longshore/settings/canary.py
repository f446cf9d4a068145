"""The setting `canary`: shares of the replicas that a release runs with, one after the other, beside the old one."""

from __future__ import annotations

import re

OFF = "off"
SHARE = re.compile(r"(100|[1-9][0-9]?)%")


def steps(setting: str | list[str]) -> tuple[int, ...]:
    """Return the steps of SETTING in percent, none where it is off. Raises ValueError, which says what is wrong."""
    if setting == OFF:
        return ()
    shares = [setting] if isinstance(setting, str) else setting
    if not shares:
        raise ValueError('a list without a step; "off" is no canary')
    found: list[int] = []
    for share in shares:
        if not (match := SHARE.fullmatch(share)):
            raise ValueError(f'"{share}" is no share of the replicas: "off", or "1%" to "100%"')
        if found and int(match[1]) <= found[-1]:
            after = f"{share} comes after {found[-1]}%"
            raise ValueError(f"each step has to be larger than the one before, and {after}")
        found.append(int(match[1]))
    return tuple(found)
