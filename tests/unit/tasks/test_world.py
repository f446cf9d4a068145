"""What an environment's world does when AWS's own variables hold rubbish."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from longshore.errors import Precondition
from longshore.runner import Runner
from longshore.settings import load
from longshore.steps import aws
from longshore.tasks.world import World

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "rubbish")
    return World(load(ROOT, dict(os.environ)), "production", Runner(dict(os.environ)))


def test_what_is_read_ahead_leaves_it_to_the_release_to_complain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    before = set(threading.enumerate())
    world._build(name="app:1", metadata=ROOT / "metadata.json", env={})
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert failed == []


def test_an_endpoint_that_is_no_address_is_a_missing_precondition(world: World) -> None:
    with pytest.raises(Precondition, match="Invalid endpoint: rubbish"):
        aws.guard_account(world.environment)
