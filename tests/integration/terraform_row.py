"""What one variable of terraform/ changes in a plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A VALUE unlike the applied one, and all CHANGES it makes, unless PARTLY says why only some are listed.

    With REFUSED there is no plan, and the error has these words. With REFRESH the plan reads what AWS has.
    """

    value: str
    changes: str = ""
    partly: str = ""
    refused: str = ""
    refresh: bool = False

    @property
    def planned(self) -> set[str]:
        return {line.strip() for line in self.changes.strip().splitlines()}
