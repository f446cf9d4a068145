"""Results are taken from the cache when they are right, and never when they may be wrong."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from longshore.graph.inputs import Inputs
from longshore.graph.steps import Graph, Result, Step, Values
from tests.unit.graph.checkout import REPORT, Checkout, Shelf


def test_a_cached_run_still_yields_its_report(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / REPORT).unlink()
    assert checkout.run() == "unchanged"
    assert (checkout.root / REPORT).read_text() == "<junit of one>"


def test_going_back_to_earlier_sources_brings_back_their_report(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / "a.py").write_text("two")
    assert checkout.run() == ""
    (checkout.root / "a.py").write_text("one")
    assert checkout.run() == "known from an earlier run"
    assert (checkout.root / REPORT).read_text() == "<junit of one>"
    assert checkout.runs == 2


@pytest.mark.parametrize("kind", ["entries", "blobs"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_file_is_a_miss_with_a_warning(checkout: Checkout, kind: str, damage: bytes | None) -> None:
    checkout.run()
    path = checkout.only(kind)
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    (checkout.root / REPORT).unlink()
    assert checkout.run() == ""
    assert "corrupt" in checkout.warnings[0]
    assert checkout.run() == "unchanged"


@pytest.mark.parametrize("pointer", [b"a\0b", b"../../x", b"a" * 5000, b"\xff", b""])
def test_a_damaged_memory_of_the_last_run_is_none(checkout: Checkout, pointer: bytes) -> None:
    checkout.run()
    checkout.only("last").write_bytes(pointer)
    cache = checkout.open()
    assert cache.last(checkout.step) is None
    assert checkout.run() == "known from an earlier run"


def test_an_entry_under_another_steps_key_is_a_miss(checkout: Checkout) -> None:
    checkout.run()
    entry = checkout.only("entries")
    (checkout.root / "a.py").write_text("two")
    key = checkout.open().look(checkout.step, Values()).key
    (entry.parent / key).write_bytes(entry.read_bytes())
    assert checkout.run() == ""
    assert "corrupt cache entry" in checkout.warnings[0]


def test_the_cache_stays_below_its_limit_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "one", limit=4000)
    for number in range(40):
        (checkout.root / "a.py").write_text(f"{number:04d}")
        checkout.run()
    files = [path for kind in ("entries", "blobs") for path in (checkout.root / ".longshore/cache" / kind).iterdir()]
    assert 0 < sum(path.stat().st_size for path in files) <= 4000
    assert checkout.run() == "unchanged"


def test_runs_side_by_side_leave_a_cache_that_is_right(checkout: Checkout) -> None:
    problems: list[Exception] = []

    def again() -> None:
        try:
            for _ in range(10):
                checkout.run()
        except Exception as problem:  # noqa: BLE001 - a thread has no other way to tell
            problems.append(problem)

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert checkout.run() == "unchanged"
    assert checkout.warnings == []


def test_another_checkout_takes_result_and_report_from_the_shared_store(tmp_path: Path) -> None:
    shelf = Shelf()
    Checkout(tmp_path / "one", shelf).run()
    other = Checkout(tmp_path / "two", shelf)
    assert other.run() == "known from an earlier run"
    assert (other.root / REPORT).read_text() == "<junit of one>"
    assert other.runs == 0


def test_what_the_shared_store_gives_is_verified(tmp_path: Path) -> None:
    shelf = Shelf()
    Checkout(tmp_path / "one", shelf).run()
    blob = next(name for name in shelf.kept if name.startswith("blobs/"))
    shelf.kept[blob] = b"<junit of somebody else>"
    other = Checkout(tmp_path / "two", shelf)
    assert other.run() == ""
    assert "corrupt" in other.warnings[0]
    # A seal that fits is no proof either: the entry has to be of just these inputs.
    entry = next(name for name in shelf.kept if name.startswith("entries/"))
    forged = shelf.kept[entry].partition(b"\n")[2].replace(b"a.py", b"b.py")
    shelf.kept[entry] = hashlib.sha256(forged).hexdigest().encode() + b"\n" + forged
    third = Checkout(tmp_path / "three", shelf)
    assert third.run() == ""
    assert "corrupt cache entry" in third.warnings[0]


def test_a_step_that_changes_something_is_never_taken_from_the_cache(checkout: Checkout) -> None:
    wanted: list[Result | None] = [None, None, Result(note="serving already", value=7)]
    step = Step(
        name="release",
        title="release",
        run=lambda progress, values: Result(note="done"),
        reads=Inputs(files=("*.py",)),
        settled=lambda values: wanted.pop(0),
    )
    Graph([step])
    for _ in range(2):
        cache = checkout.open()
        state = cache.look(step, Values())
        assert state.reason == ""
        cache.keep(step, state, Result(note="done"), 1)
    settled = checkout.open().look(step, Values())
    assert (settled.reason, settled.value) == ("serving already", 7)
    assert checkout.open().last(step) is not None


def test_what_a_full_disk_did_not_keep_goes_to_the_shared_store_nevertheless(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "one", Shelf())
    (checkout.root / ".longshore/cache").mkdir(parents=True)
    (checkout.root / ".longshore/cache/blobs").write_text("in the place of the folder")
    assert checkout.run() == ""
    assert Checkout(tmp_path / "two", checkout.remote).run() == "known from an earlier run"


def test_what_is_kept_and_put_back_is_this_users_alone(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / REPORT).unlink()
    checkout.run()
    files = [path for path in (checkout.root / ".longshore").rglob("*") if path.is_file()]
    assert {path.name: path.stat().st_mode & 0o777 for path in files if path.stat().st_mode & 0o77} == {}
