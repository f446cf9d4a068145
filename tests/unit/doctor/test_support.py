"""How long AWS supports a version of Kubernetes."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from longshore.doctor import support
from longshore.infra.support import SUPPORT
from tests.unit.doctor.place import place


@pytest.mark.parametrize(
    ("today", "fine", "words"),
    [
        ((2026, 11, 29), True, "until 2027-03-27"),
        ((2026, 12, 27), True, "in 90 days: plan the upgrade"),
        ((2027, 3, 27), False, "until 2027-03-27"),
    ],
)
def test_the_end_of_support_is_told_90_days_before(today: tuple[int, int, int], fine: bool, words: str) -> None:
    row = support.judged("1.35", SUPPORT["1.35"][0], datetime.date(*today))
    assert row.fine is fine
    assert row.what.endswith(words)


def test_a_version_that_nobody_knows_is_not_known() -> None:
    assert support.judged("1.99", None, datetime.date(2026, 11, 29)).fine is None


@pytest.mark.usefixtures("amazon")
def test_the_table_answers_where_aws_does_not(tmp_path: Path) -> None:
    (row,) = support.check(place(tmp_path))
    assert "2027-03-27" in row.what
