"""How far `terraform apply -json` has come: one JSON document a line."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from longshore.steps.graph import Progress


class Count:
    """Counts the resources that are done, and says which of those under way has taken longest."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.done, self._progress = total, 0, progress
        self._under_way: dict[str, float] = {}
        self.errors: list[str] = []

    def __call__(self, line: str) -> None:
        """Take one line."""
        try:
            event: Mapping[str, Any] = json.loads(line)
        except ValueError:
            return
        kind = event.get("type")
        if kind in ("apply_start", "apply_complete", "apply_errored"):
            if event["hook"].get("action") == "read":  # of a data source, which the plan does not count
                return
            address = event["hook"]["resource"]["addr"]
            if kind == "apply_start":
                self._under_way[address] = time.monotonic()
            else:
                self._under_way.pop(address, None)
                self.done += kind == "apply_complete"
            slowest = min(self._under_way, key=self._under_way.__getitem__, default=address)
            self._progress(f"applying {slowest}", self.done, self.total)
        if kind == "diagnostic" and event.get("@level") == "error":
            self.errors.append(str(event.get("@message", "")))
