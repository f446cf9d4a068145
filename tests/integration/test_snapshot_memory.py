"""What a snapshot keeps for the next one, damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.repositories import files, project, snapshot

__all__ = ["project"]


def test_a_damaged_index_of_longshores_is_made_anew(project: Path) -> None:
    before = snapshot(project)
    for kept in (project / ".longshore" / "snapshot").glob("index-*"):
        kept.write_text("rubbish")
    assert snapshot(project) == before


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"\xff\xfe rubbish", None])
@pytest.mark.parametrize("kept", ["trees/*", "tree-of-*"])
def test_what_a_power_cut_left_of_what_it_remembers_is_asked_for_anew(
    project: Path, kept: str, damage: bytes | None
) -> None:
    for name in files(project):
        os.utime(project / name, (1, 1), follow_symlinks=False)  # else git looks again at what has just been written
    assert snapshot(project) == (before := snapshot(project))
    (file,) = (project / ".longshore" / "snapshot").glob(kept)
    file.write_bytes(file.read_bytes()[:30] if damage is None else damage)
    assert snapshot(project) == before
    assert snapshot(project).entries == before.entries
