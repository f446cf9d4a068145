"""What our checks go by where a project has not configured them: they find mistakes, and style is its own."""

from __future__ import annotations

import re
from pathlib import Path

from longshore.snapshot.snapshot import Snapshot

RUFF, YAMLLINT, HADOLINT, PYTEST = (
    Path(__file__).with_name(name)
    for name in ("ruff.toml", "yamllint.yaml", "hadolint.yaml", "pytest.ini")
)
TABLE = re.compile(r"(?m)^\[tool\.ruff[.\]]")


def ruff(sources: Snapshot) -> Path | None:
    """Return the file that configures ruff for SOURCES; None where they do it themselves."""
    if sources.match(("**/ruff.toml", "**/.ruff.toml")):
        return None
    described = (
        sources.read(name).decode(errors="replace")
        for name in sources.match(("**/pyproject.toml",))
    )
    return None if any(map(TABLE.search, described)) else RUFF


def yamllint(sources: Snapshot) -> Path | None:
    """Return the file that configures yamllint for SOURCES; None where they do it themselves."""
    return (
        None
        if {".yamllint", ".yamllint.yaml", ".yamllint.yml"} & sources.entries.keys()
        else YAMLLINT
    )


def hadolint(sources: Snapshot) -> Path | None:
    """Return the file that configures hadolint for SOURCES; None where they do it themselves."""
    return (
        None
        if {".hadolint.yaml", ".hadolint.yml"} & sources.entries.keys()
        else HADOLINT
    )
