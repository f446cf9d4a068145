"""The settings that these tests are about: the users' own are theirs to change."""

from __future__ import annotations

import tempfile
from pathlib import Path

from longshore.settings import load
from longshore.settings.model import Settings

BASE = Path(__file__).parents[2] / "data" / "longshore.toml"
PIPELINE = """
[pipeline]
providers = ["gitlab", "github"]
environments = ["production"]
gitlab = "example/shop"
github = "example/shop"
"""


def settings() -> Settings:
    """Return settings with a pipeline for both providers that deploys to production."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "longshore.toml").write_text(BASE.read_text(encoding="utf-8") + PIPELINE, encoding="utf-8")
        return load.load(Path(folder), {})
