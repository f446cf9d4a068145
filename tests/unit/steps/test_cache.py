"""Results are taken from the cache when they are right, and never when they may be wrong."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from longshore.steps.cache import Cache
from longshore.steps.graph import Graph, Progress, Step
from longshore.steps.inputs import Inputs
from longshore.steps.tree import Tree

REPORT = ".longshore/report/junit.xml"


class Shelf:
    """A store that checkouts share, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def put(self, name: str, data: bytes) -> None:
        self.kept[name] = data


class Checkout:
    def __init__(self, root: Path, remote: Shelf | None = None, limit: int = 1 << 20) -> None:
        self.root, self.warnings, self.runs = root, list[str](), 0
        self.remote, self.limit = remote, limit
        root.mkdir(exist_ok=True)
        (root / "a.py").write_text("one")
        self.step = Step(
            name="test",
            title="test",
            run=self._work,
            reads=Inputs(files=("*.py",), tools=()),
            reports=(REPORT,),
        )

    def _work(self, progress: Progress) -> str:
        self.runs += 1
        (self.root / REPORT).parent.mkdir(parents=True, exist_ok=True)
        (self.root / REPORT).write_text(f"<junit of {(self.root / 'a.py').read_text()}>")
        return "3 tests"

    def open(self) -> Cache:
        """The cache as another run sees it."""
        folder = self.root / ".longshore" / "cache"
        return Cache(
            folder=folder,
            tree=Tree(self.root, folder),
            remote=self.remote,
            warn=self.warnings.append,
            limit=self.limit,
        )

    def run(self) -> str:
        """Run the step unless the cache knows it; return the reason for which it did not run."""
        cache = self.open()
        state = cache.look(self.step)
        if not state.reason:
            cache.keep(self.step, state, self.step.run(lambda *words: None), 1.5)
        cache.close()
        return state.reason

    def only(self, kind: str) -> Path:
        return next((self.root / ".longshore" / "cache" / kind).iterdir())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "one")


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
    assert "damaged" in checkout.warnings[0]
    assert checkout.run() == "unchanged"


def test_an_entry_under_another_steps_key_is_a_miss(checkout: Checkout) -> None:
    checkout.run()
    entry = checkout.only("entries")
    (checkout.root / "a.py").write_text("two")
    key = checkout.open().look(checkout.step).key
    (entry.parent / key).write_bytes(entry.read_bytes())
    assert checkout.run() == ""
    assert "not of the inputs" in checkout.warnings[0]


def test_the_cache_stays_below_its_limit_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "one", limit=4000)
    for number in range(40):
        (checkout.root / "a.py").write_text(f"{number:04d}")
        checkout.run()
    files = [
        path
        for kind in ("entries", "blobs")
        for path in (checkout.root / ".longshore/cache" / kind).iterdir()
    ]
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
    assert "damaged" in other.warnings[0]
    # A seal that fits is no proof either: the entry has to be of just these inputs.
    entry = next(name for name in shelf.kept if name.startswith("entries/"))
    forged = shelf.kept[entry].partition(b"\n")[2].replace(b"a.py", b"b.py")
    shelf.kept[entry] = hashlib.sha256(forged).hexdigest().encode() + b"\n" + forged
    third = Checkout(tmp_path / "three", shelf)
    assert third.run() == ""
    assert "not of the inputs" in third.warnings[0]


def test_a_step_that_changes_something_is_never_taken_from_the_cache(checkout: Checkout) -> None:
    wanted: list[str | None] = [None, None, "serving already"]
    step = Step(
        name="release",
        title="release",
        run=lambda progress: "done",
        reads=Inputs(files=("*.py",)),
        settled=lambda: wanted.pop(0),
    )
    Graph([step])
    for _ in range(2):
        cache = checkout.open()
        state = cache.look(step)
        assert state.reason == ""
        cache.keep(step, state, "done", 1)
    assert checkout.open().look(step).reason == "serving already"
    assert checkout.open().last(step) is not None
