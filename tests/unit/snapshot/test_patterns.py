"""Which names a pattern selects."""

from __future__ import annotations

import pytest

from longshore.snapshot.patterns import selector


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
        ("./**/*.py", "config.py", True),
        ("./**/*.py", "x/y/a.py", True),
    ],
)
def test_patterns_select_as_in_gitignore(pattern: str, name: str, wanted: bool) -> None:
    assert selector((pattern,))(name) is wanted


def test_an_exclamation_mark_takes_out_again() -> None:
    chosen = selector(("**", "!docs", "!*.md"))
    assert [name for name in ("a.py", "docs/a.py", "x.md", "sub/x.md") if chosen(name)] == ["a.py", "sub/x.md"]
