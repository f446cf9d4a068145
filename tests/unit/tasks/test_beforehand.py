"""What is loaded while programs run."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.tasks import beforehand

FORKS = "concurrent.futures.thread"
LOADED = "longshore.tasks.reported"


@contextlib.contextmanager
def begun() -> Iterator[None]:
    """Wait for the threads that are started meanwhile."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(30)


def test_what_fails_beforehand_is_left_to_whoever_needs_it() -> None:
    done = []

    def broken() -> None:
        done.append("tried")
        raise ModuleNotFoundError

    with begun():
        beforehand.do(broken)  # what a thread raises is a warning, which fails a test
    assert done == ["tried"]


def test_what_acts_around_a_fork_is_loaded_before_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, FORKS)
    seen = []
    with begun():
        beforehand.do(lambda: seen.append(FORKS in sys.modules))
    assert seen == [True]


def test_the_report_is_loaded_while_the_first_step_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, LOADED, raising=False)
    within: list[str] = []

    @contextlib.contextmanager
    def step(name: str) -> Iterator[Path | None]:
        within.append(name)
        yield Path("log")

    with begun(), beforehand.around(step)("image") as log:
        pass
    assert (within, log) == (["image"], Path("log"))
    assert LOADED in sys.modules
