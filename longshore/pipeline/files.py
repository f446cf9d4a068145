"""The pipelines' files, and what differs from them."""

from __future__ import annotations

import difflib
from pathlib import Path

from longshore.pipeline import github, gitlab
from longshore.settings.model import Settings

RENDERERS = {"gitlab": (gitlab.FILE, gitlab.render), "github": (github.FILE, github.render)}


def rendered(settings: Settings) -> dict[str, str]:
    """Return the text of each file that `[pipeline] providers` asks for, by its path relative to the root."""
    chosen = [RENDERERS[provider] for provider in settings.pipeline.providers]
    return {path: render(settings) for path, render in chosen}


def difference(settings: Settings, folder: Path) -> str:
    """Return how the files in FOLDER differ from those that the settings give, as a diff; empty where they agree."""
    lines: list[str] = []
    for path, text in rendered(settings).items():
        try:
            found = (folder / path).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            found = ""
        names = (path, f"{path}, as `invoke ci.generate` makes it")
        lines += difflib.unified_diff(found.splitlines(), text.splitlines(), *names, lineterm="")
    return "\n".join(lines)
