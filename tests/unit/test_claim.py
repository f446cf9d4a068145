"""One command at a time changes an environment."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from longshore import claim as claims
from longshore.claim import claim
from longshore.errors import LockHeld
from longshore.files import locked


def test_a_second_claim_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    with (
        claim(tmp_path, "local", "deploy"),
        pytest.raises(LockHeld, match="local is being changed by `invoke deploy`") as caught,
        claim(tmp_path, "local", "rollback"),
    ):
        pass
    assert caught.value.exit_code == 4


def test_a_claim_ends_with_its_block(tmp_path: Path) -> None:
    for command in ("deploy", "rollback"):
        with claim(tmp_path, "local", command):
            assert json.loads((tmp_path / "claim").read_text())["doing"] == command


@pytest.mark.parametrize("before", ["", '{"pid": 999999999, "doing": "rollback", "since": "01:02:03"}'])
def test_who_has_just_begun_is_waited_for_and_named(tmp_path: Path, before: str) -> None:
    """Between the lock and its record lies a moment, in which the file is empty or still names the last one."""
    path = tmp_path / "claim"
    path.write_text(before)
    with locked(path):
        mine = json.dumps({"pid": os.getpid(), "doing": "deploy", "since": "03:04:05"})
        writes = threading.Timer(0.1, path.write_text, (mine,))
        writes.start()
        with pytest.raises(LockHeld, match="local is being changed by `invoke deploy`"), claim(tmp_path, "local", "x"):
            pass
        writes.join()


def test_a_holder_that_cannot_be_seen_from_here_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "PATIENCE", 0.05)
    path = tmp_path / "claim"
    path.write_text('{"pid": 999999999, "doing": "rollback", "since": "01:02:03"}')
    with locked(path), pytest.raises(LockHeld, match="`invoke rollback`"), claim(tmp_path, "local", "x"):
        pass
