"""Which Jobs are hooks, and what a release that migrated for good is."""

from __future__ import annotations

import pytest

from longshore.errors import Precondition
from longshore.rollout import hooks
from longshore.rollout.records import GOOD, ROLLED_BACK, Release
from longshore.rollout.release import checked

MIGRATION = """apiVersion: batch/v1
kind: Job
metadata:
  annotations:
    longshore.dev/hook: before
    longshore.dev/irreversible: "true"
  name: migrate"""
WARM = "kind: Job\nmetadata:\n  annotations:\n    longshore.dev/hook: after\n  name: warm"
SERVICE = "kind: Service\nmetadata:\n  name: app"


def release(number: int, manifest: str = SERVICE, verdict: str = GOOD) -> Release:
    return Release(
        number=number, revision=f"r{number}", digest="", actor="", started="", finished="", verdict=verdict, cause="", manifest=manifest
    )  # fmt: skip


def test_hooks_are_kept_apart_from_what_is_rolled_out() -> None:
    found = hooks.split(f"{MIGRATION}\n---\n{SERVICE}\n---\n{WARM}")
    assert found == {"before": MIGRATION, "": SERVICE, "after": WARM}


def test_only_a_hook_makes_a_release_irreversible() -> None:
    assert hooks.irreversible(f"{SERVICE}\n---\n{MIGRATION}")
    assert not hooks.irreversible(WARM)
    assert not hooks.irreversible(MIGRATION.replace("    longshore.dev/hook: before\n", ""))


def test_a_rollback_returns_to_the_good_release_before_what_runs() -> None:
    history = [release(4), release(3, verdict=ROLLED_BACK), release(2), release(1)]
    assert checked(history, 0, past_migrations=False, environment="e").number == 2
    assert checked(history, 1, past_migrations=False, environment="e").number == 1


@pytest.mark.parametrize("to", [3, 9])
def test_a_release_that_was_not_good_is_nothing_to_return_to(to: int) -> None:
    with pytest.raises(Precondition, match="no such good release"):
        checked([release(4), release(3, verdict=ROLLED_BACK)], to, past_migrations=False, environment="e")


def test_a_rollback_stops_at_an_irreversible_migration_unless_told_otherwise() -> None:
    history = [release(3), release(2, MIGRATION, ROLLED_BACK), release(1)]
    with pytest.raises(Precondition, match="release 2 ran an irreversible migration"):
        checked(history, 1, past_migrations=False, environment="e")
    assert checked(history, 1, past_migrations=True, environment="e").number == 1
