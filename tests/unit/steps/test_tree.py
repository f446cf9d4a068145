"""The stat cache: a file is read again whenever it may have changed, and only then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.steps import tree as module
from longshore.steps.tree import Tree, selector

FILES = {"a.py": "aaa", "b.py": "bbb", "sub/c.html": "ccc"}


class Checkout:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.read: list[str] = []
        original = module._content

        def content(path: str, mode: int) -> str | None:
            self.read.append(Path(path).name)
            return original(path, mode)

        monkeypatch.setattr(module, "_content", content)
        for name, text in FILES.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        monkeypatch.setattr(module, "TICK", 20_000_000)
        time.sleep(0.04)  # older than the tick: what was just written is not believed

    def hashes(self) -> dict[str, str]:
        """Hash all in a new run; `read` holds what had to be read for it."""
        self.read.clear()
        tree = Tree(self.root, self.root / ".longshore")
        found = tree.hashes(tree.names())
        tree.save()
        return found


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    return Checkout(tmp_path, monkeypatch)


def test_what_did_not_change_is_not_read_again(checkout: Checkout) -> None:
    first = checkout.hashes()
    assert sorted(checkout.read) == ["a.py", "b.py", "c.html"]
    assert checkout.hashes() == first
    assert checkout.read == []


def replace(path: Path, text: str) -> None:
    """Write as editors do: another file takes the name."""
    (path.parent / "draft").write_text(text)
    (path.parent / "draft").rename(path)


def rewrite_and_turn_the_time_back(path: Path) -> None:
    seen = path.stat()
    path.write_text("zzz")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def swap(path: Path) -> None:
    other, between = path.with_name("b.py"), path.with_name("between")
    path.rename(between)
    other.rename(path)
    between.rename(other)


@pytest.mark.parametrize(
    "edit",
    [
        lambda path: path.write_text("zzz"),
        lambda path: replace(path, "zzz"),
        rewrite_and_turn_the_time_back,
        swap,
        lambda path: path.chmod(0o755),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.symlink_to("b.py")),
        lambda path: (path.unlink(), path.write_text("zzz"), os.utime(path, (0, 0))),
    ],
)
def test_an_edit_of_the_same_size_is_always_seen(checkout: Checkout, edit: Callable[[Path], object]) -> None:
    first = checkout.hashes()
    edit(checkout.root / "a.py")
    assert checkout.hashes() != first


def test_a_touch_is_read_again_and_changes_nothing(checkout: Checkout) -> None:
    first = checkout.hashes()
    os.utime(checkout.root / "a.py", (0, 0))
    assert checkout.hashes() == first
    assert checkout.read == ["a.py"]
    checkout.hashes()
    assert checkout.read == ["a.py"], "its time of change is younger than a tick"


def test_two_edits_within_one_tick_of_the_clock_are_both_seen(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkout.root / "a.py"
    path.write_text("one")
    now = path.stat().st_ctime_ns
    monkeypatch.setattr(Tree, "_now", lambda self: now)
    first = checkout.hashes()
    # Nothing in what the file looks like tells the second edit from the first.
    frozen = path.stat()
    path.write_text("two")
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda name: frozen if str(name) == str(path) else real(name))
    assert checkout.hashes() != first


def test_after_the_clock_was_set_back_all_is_read_again(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.hashes()
    past = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(Tree, "_now", lambda self: past)
    checkout.hashes()
    assert len(checkout.read) == 3


def test_a_damaged_stat_cache_costs_a_reading_and_nothing_else(checkout: Checkout) -> None:
    first = checkout.hashes()
    (checkout.root / ".longshore" / "stat").write_bytes(b"\x93garbage")
    assert checkout.hashes() == first
    assert len(checkout.read) == 3


@pytest.mark.parametrize(
    ("pattern", "name", "wanted"),
    [
        ("app", "app/main.py", True),
        ("app", "application/main.py", False),
        ("app/", "app/x/y", True),
        ("*.py", "a.py", True),
        ("*.py", "sub/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "x/y/a.py", True),
        ("app/**/*.html", "app/a.html", True),
        ("app/**/*.html", "app/t/u/a.html", True),
        ("app/*", "app/t/a.html", False),
        ("a?.py", "ab.py", True),
        ("a+b.py", "aab.py", False),
        ("**", "any/thing", True),
    ],
)
def test_patterns_select_as_in_gitignore(pattern: str, name: str, wanted: bool) -> None:
    assert selector((pattern,))(name) is wanted


def test_an_exclamation_mark_takes_out_again() -> None:
    chosen = selector(("**", "!docs", "!*.md"))
    assert [name for name in ("a.py", "docs/a.py", "x.md", "sub/x.md") if chosen(name)] == [
        "a.py",
        "sub/x.md",
    ]
