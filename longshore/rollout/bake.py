"""After a release was verified: its smoke tests, and a time under observation."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

from longshore.commands import checks
from longshore.errors import DeadlineExceeded, GateFailed
from longshore.rollout.probe import TIMEOUT, Probe
from longshore.rollout.verdict import Outcome, Verdict
from longshore.rollout.watch import Watcher
from longshore.runner import Runner
from longshore.settings_rollout import Budgets
from longshore.steps import evidence

RATE = 5.0  # requests a second: enough to notice, too few to matter
SETTLE = 10.0  # seconds that a release gets to be whole again at the end of the bake
EXPLAIN = 3  # looks, each of half a second
SMOKE_DEADLINE = 300.0


def smoke(root: Path, work: Path, runner: Runner, env: dict[str, str]) -> str:
    """Run ROOT/tests/smoke against the release that ENV names; return what failed, an empty text where nothing did or there are none."""
    if not (root / "tests" / "smoke").is_dir():
        return ""
    report = work / "report" / "smoke.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    try:
        command = checks.smoke(
            sys.executable, report, "tests/smoke", root=root, env=env, deadline=SMOKE_DEADLINE
        )
        runner.run(command, check=False)
        evidence.tests(report.read_text() if report.exists() else "")
    except GateFailed as problem:
        first = " ".join(problem.detail.split()[:40]) or problem.hint
        return f"the smoke tests fail: {problem.sentence}: {first}"
    except DeadlineExceeded as problem:
        return f"the smoke tests fail: {problem.sentence}"
    return ""


class Asking:
    """The probe in a thread of this process: at a low rate it disturbs nobody."""

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


def bake(
    watcher: Watcher, good: Verdict, url: str, authority: Path | None, *, seconds: float, budgets: Budgets, say: Callable[..., None]
) -> Verdict:  # fmt: skip
    """Watch a GOOD release and ask URL for SECONDS; return the verdict after that, a bad one as soon as there is one."""
    began, crashed = time.monotonic(), watcher.crashes()
    allowed = int(budgets.errors * RATE * seconds)
    verdict, cause = good, ""
    with Asking(url, authority, drain=1.0) as asking:
        while (passed := time.monotonic() - began) < seconds + SETTLE:
            verdict = watcher.look() or verdict
            if cause := _broken(watcher, verdict, asking.probe, crashed, allowed):
                for _ in range(EXPLAIN):  # requests fail before the pods' status says why
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
        cause = (
            cause
            or f"{url} became slow: 95 of 100 answers took up to {p95:.2f} s, the budget is {budgets.latency:g} s"
        )
    return replace(verdict, outcome=Outcome.BAD, sentence=cause) if cause else verdict


def _broken(watcher: Watcher, verdict: Verdict, probe: Probe, crashed: int, allowed: int) -> str:
    """Return what a release that was good has done wrong since, an empty text where nothing. One crash is tolerated."""
    if (crashes := watcher.crashes() - crashed) > 1:
        return f"its containers crashed {crashes} times"
    if verdict.wanted and not verdict.ready:
        return "none of its replicas is ready any more"
    failed = sum(probe.failed.values())
    if failed > allowed:
        last = probe.examples[-1] if probe.examples else {"class": "", "detail": ""}
        return f"{failed} of {probe.answered} requests failed ({last['class']}: {last['detail']})"
    return ""
