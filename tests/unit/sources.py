"""Snapshots of plain folders, for tests that start no git."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from longshore.snapshot.snapshot import Snapshot


def written(folder: Path, files: Mapping[str, str | bytes]) -> Snapshot:
    """The files in FOLDER once FILES are written there."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return snapshot_of(folder)


def snapshot_of(folder: Path, *, revision: str = "0123456789ab") -> Snapshot:
    """The files in FOLDER, as git would name their contents; what lies in .longshore/ is not part of them."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".longshore/"):
            data = path.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            entries[name] = f"{'100755' if path.stat().st_mode & 0o100 else '100644'} {blob}"
    commit = f"{revision:0<40}"
    return Snapshot(
        commit=commit,
        revision=revision,
        dirty=False,
        entries=entries,
        checkout=lambda: folder,
        workspace=lambda: folder,
        read=lambda name: (folder / name).read_bytes(),
    )
