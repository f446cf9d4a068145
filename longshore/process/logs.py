"""Where the programs of a run log: a folder for each run, the newest of which are kept."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

KEPT = 20  # runs


def folder(logs: Path) -> Path:
    """Return the folder below LOGS for a run that starts now, which need not exist; delete the oldest ones."""
    for old in sorted(logs.glob("*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 10**3 % 10**6:06}"
