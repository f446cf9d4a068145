"""docs/fidelity.md is held to the tests that it names."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"U": "tests/unit", "I": "tests/integration", "E": "tests/e2e", "P": "tests/policies", "T": "terraform/tests"}
TEXT = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
LEVELS = ("enforced", "checked", "never seen")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|\n").split(" | "))
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| behaviour")
]
NAMED = re.compile(r"`([UIEPT])/([\w./]+)::(\w+)`")


@cache
def names_in(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    pattern = r'^run "(\w+)"' if path.suffix == ".hcl" else r"^def (test_\w+)"
    return set(re.findall(pattern, text, re.MULTILINE))


def test_there_are_sixty_rows_and_each_says_how_it_was_seen() -> None:
    assert len(ROWS) >= 60
    assert not [row for row in ROWS if len(row) != 3 or row[1] not in LEVELS]
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("letter", "file", "name"), sorted(set(NAMED.findall(TEXT))))
def test_a_test_that_is_named_exists(letter: str, file: str, name: str) -> None:
    assert name in names_in(ROOT / FOLDERS[letter] / file)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_what_is_enforced_or_checked_names_a_test(row: tuple[str, str, str]) -> None:
    assert row[1] == "never seen" or NAMED.search(row[2])


def test_a_path_in_backticks_is_a_test_or_a_file() -> None:
    for word in re.findall(r"`([UIEPT]/[\w./:]+)`", TEXT):
        folder, _, rest = word.partition("/")
        assert (ROOT / FOLDERS[folder] / rest.partition("::")[0]).is_file(), word
