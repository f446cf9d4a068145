"""A running step, as the console sees it: how far it has come, and how long it may still take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Running:
    """What a step last reported. Times are in seconds of the monotonic clock."""

    title: str
    since: float = field(default_factory=time.monotonic)
    text: str = ""
    done: int | None = None
    total: int | None = None
    printed_at: float = field(default_factory=time.monotonic)  # the last plain line about it
    first: tuple[float, int] | None = None  # when counting began, and at which count

    def report(self, text: str, done: int | None, total: int | None) -> None:
        """Take a step's report: what it does, and how many parts of how many are done."""
        self.text, self.done, self.total = text, done, total
        if done is not None and self.first is None:
            self.first = (time.monotonic(), done)

    def describe(self, now: float) -> str:
        """Return what the step does, with its count if there is one."""
        text, count = self.text or self.title, self.count(now)
        return f"{text} ({count})" if count else text

    def count(self, now: float) -> str:
        """Return `93 of 220, about 56 s left`; no time if it is too early to tell, nothing if nothing is counted."""
        if self.done is None or not self.total:
            return ""
        text = f"{self.done} of {self.total}"
        if self.first is None:
            return text
        since, first = self.first
        if self.done - first < max(5, self.total / 20) or now - since < 3:
            return text
        left = (self.total - self.done) * (now - since) / (self.done - first)
        return f"{text}, about {left / 60:.0f} min left" if left > 90 else f"{text}, about {left:.0f} s left"
