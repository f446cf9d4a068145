"""Results are taken from the cache when they are right, and never when they may be wrong."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import msgspec
import pytest

from longshore.graph.cache import FORMAT, Cache, Entry
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Graph, Progress, Result, Step, Values
from tests.unit.sources import snapshot_of

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
    def __init__(self, root: Path, remote: Shelf | None = None, limit: int = 1 << 20, key: bytes = b"") -> None:
        self.root, self.warnings, self.runs, self.key = root, list[str](), 0, key
        self.remote, self.limit = remote, limit
        root.mkdir(exist_ok=True)
        (root / "a.py").write_text("one")
        self.step = Step(
            name="test", title="test", run=self._work, reads=Inputs(files=("*.py",), tools=()), reports=(REPORT,)
        )

    def _work(self, progress: Progress, values: Values) -> Result:
        self.runs += 1
        (self.root / REPORT).parent.mkdir(parents=True, exist_ok=True)
        (self.root / REPORT).write_text(f"<junit of {(self.root / 'a.py').read_text()}>")
        return Result(note="3 tests")

    def open(self) -> Cache:
        """The cache as another run sees it."""
        return Cache(
            folder=self.root / ".longshore" / "cache",
            root=self.root,
            sources=lambda: snapshot_of(self.root),
            remote=self.remote,
            warn=self.warnings.append,
            limit=self.limit,
            key=self.key,
        )

    def run(self) -> str:
        """Run the step unless the cache knows it; return the reason for which it did not run."""
        cache = self.open()
        state = cache.look(self.step, Values())
        if not state.reason:
            cache.keep(self.step, state, self.step.run(lambda *words: None, Values()), 1.5)
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


def forged(checkout: Checkout, reports: dict[str, bytes]) -> Shelf:
    """Return a store with an entry for what CHECKOUT is about to run, by somebody who may write to the bucket."""
    state = checkout.open().look(checkout.step, Values())
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in reports.items()}
    data = msgspec.json.encode(Entry(step="test", inputs=state.inputs, note="3 tests", reports=hashes))
    shelf = Shelf()
    shelf.put(f"entries/{state.key}", hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    for content in reports.values():
        shelf.put(f"blobs/{hashlib.sha256(content).hexdigest()}", content)
    return shelf


@pytest.mark.parametrize(
    "name", ["tasks.py", "../outside.py", "/{root}/absolute.py", f"{REPORT}/../../../tasks.py", f"./{REPORT}", "", "."]
)
def test_an_entry_writes_nothing_but_the_reports_that_the_step_declares(checkout: Checkout, name: str) -> None:
    name = name.format(root=checkout.root)
    checkout.remote = forged(checkout, {REPORT: b"<junit>", name: b"import os"})
    before = {path for path in checkout.root.parent.rglob("*") if path.is_file()}
    assert checkout.run() == ""
    assert checkout.runs == 1
    assert "which the step does not declare" in checkout.warnings[0]
    after = {path for path in checkout.root.parent.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(checkout.root / ".longshore") for path in after)
    assert (checkout.root / REPORT).read_text() == "<junit of one>", "the step's own"


@pytest.mark.parametrize("link", [".longshore", ".longshore/report", REPORT])
def test_a_report_is_neither_written_nor_read_through_a_link(checkout: Checkout, tmp_path: Path, link: str) -> None:
    checkout.remote = forged(checkout, {REPORT: b"<junit>"})
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "report").mkdir(parents=True)
    (elsewhere / "report" / "junit.xml").write_text("somebody's")
    below = Path(REPORT).relative_to(link).parts
    target = {2: elsewhere, 1: elsewhere / "report", 0: elsewhere / "report" / "junit.xml"}[len(below)]
    (checkout.root / link).parent.mkdir(parents=True, exist_ok=True)
    (checkout.root / link).symlink_to(target)
    cache = checkout.open()
    state = cache.look(checkout.step, Values())
    assert (elsewhere / "report" / "junit.xml").read_text() == "somebody's"
    assert not state.reason
    cache.keep(checkout.step, state, Result(note="3 tests"), 1.0)
    assert b"somebody's" not in checkout.remote.kept.values()


def test_with_a_key_only_entries_signed_with_it_are_trusted(tmp_path: Path) -> None:
    ours = Checkout(tmp_path / "ours", key=b"ours")
    ours.remote = shelf = forged(ours, {REPORT: b"<junit>"})
    assert ours.run() == ""
    assert "is not signed with the key that is set here" in ours.warnings[0]
    again = Checkout(tmp_path / "again", remote=shelf, key=b"ours")
    assert again.run() == "known from an earlier run"
    for key in (b"theirs", b""):
        other = Checkout(tmp_path / f"other{key!r}", remote=shelf, key=key)
        assert other.run() == "", key
        assert other.warnings


def test_a_key_does_not_trust_what_this_checkout_kept_without_it(checkout: Checkout) -> None:
    checkout.run()
    checkout.key = b"ours"
    assert checkout.run() == ""
    assert checkout.run() == "unchanged"


@pytest.mark.parametrize("content", ["../../../a.py", "/{root}/a.py", "a\0b", "\ud800", "a" * 5000, "A" * 64, ""])
def test_an_entry_whose_reports_have_no_hashes_is_a_miss_and_deletes_nothing(checkout: Checkout, content: str) -> None:
    state = checkout.open().look(checkout.step, Values())
    reports = {REPORT: content.format(root=checkout.root)}
    data = json.dumps({"step": "test", "inputs": state.inputs, "reports": reports, "format": FORMAT}).encode()
    checkout.remote = shelf = Shelf()
    shelf.put(f"entries/{state.key}", hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    assert checkout.run() == ""
    assert "corrupt cache entry" in checkout.warnings[0]
    assert (checkout.root / "a.py").read_text() == "one"


def test_an_entry_with_text_that_no_file_can_have_is_a_miss(checkout: Checkout) -> None:
    state = checkout.open().look(checkout.step, Values())
    data = json.dumps({"step": "test", "inputs": {"\ud800": ""}, "format": FORMAT}).encode()
    checkout.remote = shelf = Shelf()
    shelf.put(f"entries/{state.key}", hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    assert checkout.run() == ""


@pytest.mark.parametrize("text", ["../../../a.py", "a\0b"])
def test_a_damaged_name_of_the_last_result_leads_to_no_file(checkout: Checkout, text: str) -> None:
    checkout.run()
    checkout.only("last").write_text(text)
    assert checkout.open().last(checkout.step) is None
    assert (checkout.root / "a.py").read_text() == "one"


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
