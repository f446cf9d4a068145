"""Amazon's services in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws


@pytest.fixture
def amazon() -> Iterator[None]:
    with mock_aws():
        yield
