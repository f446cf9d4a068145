"""One command at a time changes an environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import LockHeld
from longshore.steps.claim import claim


def test_a_second_claim_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    with (
        claim(tmp_path, "local", "deploy"),
        pytest.raises(LockHeld, match="local is being changed by `invoke deploy`") as caught,
        claim(tmp_path, "local", "rollback"),
    ):
        pass
    assert caught.value.exit_code == 4


def test_a_claim_ends_with_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with claim(tmp_path, "local", "deploy"):
            pass
