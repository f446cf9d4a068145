"""The scan for credentials, of all files of the run's snapshot; one that was clean before is not read again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from longshore.commands import checks
from longshore.files import Memory
from longshore.gates import reports
from longshore.graph.inputs import version
from longshore.process.command import Command
from longshore.process.runner import Result
from longshore.snapshot import locks
from longshore.snapshot.snapshot import Snapshot

# Locks and recorded reports: full of what looks like keys.
HASHES = ("requirements/", "terraform/.terraform.lock.hcl", "tests/data/")
FILE = "100"  # how git's modes of plain files begin


def scan(sources: Snapshot, work: Path, python: str, run: Callable[[Command], Result]) -> str:
    """Have PYTHON look in SOURCES, where RUN has it run; WORK has what was clean before. Return what was examined.

    Raises GateFailed for what looks like a credential and is not accepted.
    """
    entries = sources.entries
    left_out = {*locks.EXPORTS, *locks.CONVERTED}  # full of hashes, too
    plain = [name for name in entries if entries[name].startswith(FILE) and not name.startswith(HASHES)]
    names = [name for name in plain if locks.kind(name) not in left_out and name != reports.BASELINE]
    marks = {name: f"{name} {entries[name]}" for name in names}
    baseline = sources.text(reports.BASELINE)
    # A file is clean by a version, what that is told, and what is accepted.
    told = (version("detect-secrets"), checks.ALEMBIC, entries.get(reports.BASELINE, ""))
    memory, tool = Memory(work / "cache"), " ".join(told).strip()
    known = memory.get("scanned")
    clean = set(known.get("clean", ())) if known.get("tool") == tool else set()
    with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
        planted = Path(folder) / "planted.txt"  # the scanner has to find the key in this file
        planted.write_text("aws_access_key_id = AKIA" + "QYLPMN5HHHFPZAM2\n", encoding="utf-8")
        asked = _parts(name for name in names if marks[name] not in clean)
        outputs = [run(checks.secrets(python, *part, str(planted))).stdout for part in asked]
    note = reports.secrets(outputs, str(planted), len(names), baseline)
    memory.put("scanned", tool=tool, clean=sorted(marks.values()))
    return note


def _parts(names: Iterable[str]) -> list[list[str]]:
    """Return NAMES in lists that each fit on a command line; one empty list where there are none."""
    room = min(os.sysconf("SC_ARG_MAX") // 2, 1 << 20)  # bytes; the variables need some as well
    parts: list[list[str]] = [[]]
    size = 0
    for name in names:
        size += len(os.fsencode(name)) + 9  # with its end and the pointer to it
        if size > room:
            parts.append([])
            size = 0
        parts[-1].append(name)
    return parts
