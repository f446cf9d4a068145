"""An entry of the shared cache may be anybody's, and does no more than give the results that a step declares."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from longshore.graph.cache import FORMAT, Entry
from longshore.graph.steps import Result, Values
from tests.unit.graph.checkout import REPORT, Checkout, Shelf


def shelved(key: str, entry: bytes) -> Shelf:
    """Return a store with ENTRY under KEY, sealed as whoever may write to the bucket can."""
    shelf = Shelf()
    shelf.put(f"entries/{key}", hashlib.sha256(entry).hexdigest().encode() + b"\n" + entry)
    return shelf


def forged(checkout: Checkout, reports: dict[str, bytes]) -> Shelf:
    """Return a store with an entry for what CHECKOUT is about to run, by somebody who may write to the bucket."""
    state = checkout.open().look(checkout.step, Values())
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in reports.items()}
    shelf = shelved(state.key, msgspec.json.encode(Entry(step="test", inputs=state.inputs, reports=hashes)))
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
    checkout.remote = shelved(state.key, data)
    assert checkout.run() == ""
    assert "corrupt cache entry" in checkout.warnings[0]
    assert (checkout.root / "a.py").read_text() == "one"


def test_an_entry_with_text_that_no_file_can_have_is_a_miss(checkout: Checkout) -> None:
    state = checkout.open().look(checkout.step, Values())
    data = json.dumps({"step": "test", "inputs": {"\ud800": ""}, "format": FORMAT}).encode()
    checkout.remote = shelved(state.key, data)
    assert checkout.run() == ""
