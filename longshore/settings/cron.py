"""When something runs, as cron has it and Kubernetes reads it (robfig/cron, `ParseStandard`); GitHub does alike."""

from __future__ import annotations

import re

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    ("minute", 0, 59, (), "a minute is from 0 to 59"),
    ("hour", 0, 23, (), "an hour is from 0 to 23; one range over midnight is two, such as 22-23,0-4"),
    ("day", 1, 31, (), "a day of the month is from 1 to 31"),
    ("month", 1, 12, MONTHS, "a month is from 1 to 12, or JAN to DEC"),
    ("weekday", 0, 6, DAYS, "a weekday is from 0, Sunday, to 6, or SUN to SAT"),
)
PART = re.compile(r"(?a)(?:[*?]|(\w+)(?:-(\w+))?)(?:/0*[1-9]\d*)?\Z")


def mistake(schedule: str) -> tuple[str, str] | None:
    """Return what in SCHEDULE is no time, and what would be one; None where all is. One of five fields, or `@daily`."""
    if schedule.startswith("@"):
        return None
    for (title, least, most, names, hint), field in zip(FIELDS, schedule.split(" "), strict=False):
        for part in field.split(","):
            found = PART.match(part)
            ends = [_number(end, names, least) for end in found.groups() if end] if found else [-1]
            if ends != sorted(ends) or any(not least <= end <= most for end in ends):
                return f"has the {title} {part!r}, which is none", hint
    return None


def _number(text: str, names: tuple[str, ...], least: int) -> int:
    """Return the number that TEXT is, or is one of NAMES for, which begin with LEAST; -1 where it is none."""
    if text.lower() in names:
        return names.index(text.lower()) + least
    return int(text) if text.isdecimal() and len(text) < 5 else -1
