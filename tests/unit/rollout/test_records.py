"""Which release is the last good one."""

from __future__ import annotations

from longshore.rollout.records import FAILED, GOOD, INTENT, ROLLED_BACK, Release, last_good, name


def release(number: int, verdict: str) -> Release:
    return Release(
        number=number, revision=f"r{number}", digest="", actor="", started="", finished="", verdict=verdict, cause="", manifest=""
    )  # fmt: skip


def test_two_bad_releases_in_a_row_still_lead_to_the_good_one() -> None:
    newest_first = [release(4, INTENT), release(3, ROLLED_BACK), release(2, FAILED), release(1, GOOD)]
    assert last_good(newest_first) == newest_first[-1]


def test_without_a_good_release_there_is_nothing_to_return_to() -> None:
    assert last_good([release(1, FAILED)]) is None


def test_records_sort_by_name_as_by_number() -> None:
    assert sorted([name(10), name(9), name(100)]) == [name(9), name(10), name(100)]
