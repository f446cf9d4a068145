from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.graph.bench import Bench
from tests.unit.graph.checkout import Checkout


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "one")
