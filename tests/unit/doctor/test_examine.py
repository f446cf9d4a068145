"""A check that cannot be carried out."""

from __future__ import annotations

from longshore.doctor.finding import Finding, Place, found
from longshore.errors import Precondition


def test_a_check_that_cannot_be_carried_out_is_a_row() -> None:
    def check(_: Place) -> list[Finding]:
        raise Precondition("AWS is away")

    assert found("x", check, None) == [Finding(None, "x", "AWS is away")]  # type: ignore[arg-type]
