"""The generated parts of terraform/README.md are up to date."""

from __future__ import annotations

import runpy
from pathlib import Path

TERRAFORM = Path(__file__).parents[2] / "terraform"


def test_diagram_and_tables_match_the_code() -> None:
    tool = runpy.run_path(str(TERRAFORM / "readme.py"))
    text = (TERRAFORM / "README.md").read_text()
    assert tool["written"](text) == text, "`nox -s docs` updates them"
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for kind in ("variable", "output"):
        for line in (TERRAFORM / f"{kind}s.tf").read_text().splitlines():
            if line.startswith(f'{kind} "'):
                name = line.split('"')[1]
                assert any(row.startswith(f"| `{name}` |") for row in rows), name
