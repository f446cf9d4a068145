"""What lies above the sources decides nothing: pytest and ruff look for their configuration up to the disk's root."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from longshore.files import write_if_changed
from longshore.gates.defaults import PYTEST
from longshore.snapshot.snapshot import Snapshot

NAMES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
SECTION = re.compile(r"(?m)^\[(tool:)?pytest\]")
OLDEST = re.compile(r"""(?m)^requires-python\s*=\s*["'][^"']*?[>~=]=\s*3\.(\d+)""")


def left_out(folder: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return what has pytest, for tests at PATHS of the sources in FOLDER, look no further up than FOLDER.

    Nothing where these configure it: it finds that first. Else it goes by the file, and from the folder, that it would
    choose if there were nothing above.
    """
    named = [folder / path.partition("::")[0] for path in paths]
    tops = [path if path.is_dir() else path.parent for path in named]
    if any(_configures(up / name) for top in tops for up in _up(top, folder) for name in NAMES):
        return ()
    way = _up(Path(os.path.commonpath(tops)), folder)
    if described := next((up / "pyproject.toml" for up in way if (up / "pyproject.toml").is_file()), None):
        return "-c", str(described)
    root = next((up for up in way if (up / "setup.py").is_file()), folder)
    return "-c", str(PYTEST), f"--rootdir={root}", f"--confcutdir={root}"


def bar_ruff(sources: Snapshot) -> None:
    """Have ruff look no further up than the workspace for what files go by that SOURCES configure nothing for.

    Their oldest Python is what it would take from pyproject.toml if it found no configuration at all.
    """
    oldest = OLDEST.search(sources.text("pyproject.toml"))
    barrier = sources.workspace().parent / "ruff.toml"
    write_if_changed(barrier, f'target-version = "py3{oldest[1]}"\n' if oldest else "")


def _up(top: Path, folder: Path) -> list[Path]:
    return [path for path in (top, *top.parents) if path.is_relative_to(folder)]


def _configures(path: Path) -> bool:
    """Return whether pytest goes by the file at PATH, which may be missing."""
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.name == "pyproject.toml":
        try:
            return "pytest" in tomllib.loads(text).get("tool", {})
        except (ValueError, TypeError):
            return True  # pytest says what is wrong with it
    return "pytest." in path.name or bool(SECTION.search(text))
