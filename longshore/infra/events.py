"""Progress of `terraform apply -json`, which prints one JSON document a line."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from longshore.graph.steps import Progress

# How the services of AWS say that; some have a code of their own for each kind of thing.
EXISTS = re.compile(r"(?i)already ?(?:exists|owned)|Duplicate")


class Events:
    """Counts finished resources of TOTAL and reports the slowest in progress.

    `errors` are the messages of error diagnostics, `outputs` has the form of `terraform output -json`. `unknown` are
    the addresses of what could not be created, since AWS has it already.
    """

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.done, self._progress = total, 0, progress
        self.errors: list[str] = []
        self.unknown: list[str] = []
        self.outputs: dict[str, Any] = {}
        self._started: dict[str, float] = {}  # by the address of each resource in progress

    def __call__(self, line: str) -> None:
        """Read one line; what is not JSON is ignored."""
        try:
            event: Mapping[str, Any] = json.loads(line)
        except ValueError:
            return
        kind = event.get("type")
        if kind in ("apply_start", "apply_complete", "apply_errored"):
            self._resource(kind, event["hook"])
        elif kind == "diagnostic" and event.get("@level") == "error":
            self.errors.append(str(event.get("@message", "")))
            if EXISTS.search(self.errors[-1]):
                self.unknown += filter(None, [event.get("diagnostic", {}).get("address")])
        elif kind == "outputs":
            self.outputs = event["outputs"]

    def _resource(self, kind: str, hook: Mapping[str, Any]) -> None:
        if hook.get("action") == "read":  # a data source, which is not among the plan's changes
            return
        address = hook["resource"]["addr"]
        if kind == "apply_start":
            self._started[address] = time.monotonic()
        else:
            self._started.pop(address, None)
            self.done += kind == "apply_complete"
        slowest = min(self._started, key=self._started.__getitem__, default=address)
        self._progress(f"applying {slowest}", self.done, self.total)
