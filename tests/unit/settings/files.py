"""Settings that are read from the tests' own longshore.toml, or another one."""

from __future__ import annotations

from pathlib import Path

from longshore.settings.load import load
from longshore.settings.model import Settings

ROOT = Path(__file__).parents[3]
HOME = {"HOME": "/home/somebody"}
GOOD = (ROOT / "tests" / "data" / "longshore.toml").read_text()


def read(folder: Path, text: str, **environ: str) -> Settings:
    """Return the settings in a FOLDER whose longshore.toml is TEXT, with the variables ENVIRON beside HOME."""
    (folder / "longshore.toml").write_text(text)
    return load(folder, HOME | environ)
