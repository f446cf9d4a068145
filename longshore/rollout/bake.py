"""Bakes a release after it was verified: a period under observation."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Self

from msgspec.structs import replace

from longshore.graph.steps import Progress
from longshore.rollout.probe import TIMEOUT, Probe
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome, Verdict
from longshore.rollout.watch import Watcher

# Requests a second: enough to notice a failure, too few to be a load, or to reach the rate that the web ACL allows an
# address even when the bake never ends: Terraform's rate_limit is 2,000 in five minutes.
RATE = 4.0
SETTLE = 10.0  # seconds that a release gets to recover at the end of the bake
EXPLAIN = 3  # looks for the cause of failed requests, each of half a second


class Asking:
    """Runs the probe in a thread of this process, which is enough at a low rate."""

    def __init__(
        self, url: str, authority: Path | None, rate: float = RATE, drain: float = TIMEOUT, slow: str = ""
    ) -> None:
        self.probe = Probe(url, str(authority) if authority else None, rate, slow, drain)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.probe.run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self.probe.stopping = True
        self._thread.join(timeout=15)


def bake(site: Site, watcher: Watcher, good: Verdict, say: Progress) -> Verdict:
    """Watch a GOOD release and ask its address; return the verdict at the end, a bad one as soon as there is one."""
    seconds, budgets = site.environment.bake, site.environment.budgets
    began, crashed = time.monotonic(), watcher.crashes()
    allowed = int(budgets.errors * RATE * seconds)
    verdict, cause = good, ""
    with Asking(site.url, site.authority, drain=1.0) as asking:
        while (passed := time.monotonic() - began) < seconds + SETTLE:
            verdict = watcher.look() or verdict
            if cause := _broken(watcher, verdict, asking.probe, crashed, allowed):
                for _ in range(EXPLAIN):  # the pods' status gives the reason only after requests have failed
                    watcher.pause()
                why = watcher.last_crash() or (watcher.look() or verdict).sentence
                cause = f"{passed:.0f} s after it was verified {cause}; {why}"
                break
            if verdict.outcome is Outcome.BAD or (passed >= seconds and verdict.outcome is Outcome.GOOD):
                break
            say(f"baking: {verdict.sentence}", int(min(passed, seconds)), int(seconds))
            watcher.pause()
    p95 = (asking.probe.result()["p95"] or 0.0) / 1000
    if verdict.outcome is Outcome.WAITING:
        cause = cause or f"it was ready and is no longer: {verdict.sentence}"
    elif verdict.outcome is Outcome.GOOD and p95 > budgets.latency:
        slow = f"became slow: 95 of 100 answers took up to {p95:.2f} s, the budget is {budgets.latency:g} s"
        cause = cause or f"{site.url} {slow}"
    if cause:
        return replace(verdict, outcome=Outcome.BAD, sentence=cause)
    if asking.probe.blocked:
        seen = asking.probe.answered - asking.probe.blocked
        sentence = f"{verdict.sentence}; the web ACL blocked the bake's requests after {seen} answers"
        return replace(verdict, sentence=sentence)
    return verdict


def _broken(watcher: Watcher, verdict: Verdict, probe: Probe, crashed: int, allowed: int) -> str:
    """Return what went wrong with a release that was good, an empty text where nothing did. One crash is tolerated."""
    if (crashes := watcher.crashes() - crashed) > 1:
        return f"its containers crashed {crashes} times"
    if verdict.wanted and not verdict.ready:
        return "none of its replicas is ready any more"
    failed = sum(probe.failed.values())
    if failed > allowed:
        last = probe.examples[-1] if probe.examples else {"class": "", "detail": ""}
        return f"{failed} of {probe.answered} requests failed ({last['class']}: {last['detail']})"
    return ""
