"""Follows a rollout until it has a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Self

from longshore.commands.kubectl import Cluster
from longshore.errors import StateUnknown
from longshore.rollout import mirror, pods
from longshore.rollout.api import UNANSWERED, Api
from longshore.rollout.mirror import Mirror, Objects
from longshore.rollout.verdict import Outcome, Verdict, Workload, judge, together
from longshore.runner import Runner
from longshore.settings_rollout import Patience

PACE = 0.04  # seconds between two judgments, however fast things change
TICK = 0.5  # seconds between two judgments where nothing changes: budgets run out all the same
UNREACHABLE = 30.0  # seconds without any answer from the API server before the state counts as unknown
MADE_BY = {"Deployment": ("Deployment", "ReplicaSet")}

Say = Callable[..., None]


class Unreachable(StateUnknown):
    """The API server has not answered for too long; what serves is not known."""

    hint = "`invoke status` tells what serves once it answers again"

    def __init__(self, seconds: float, problem: str) -> None:
        super().__init__(
            f"the API server has not answered for {seconds:.0f} s during the rollout ({problem}); nothing was undone"
        )


def look(api: Api, workloads: Iterable[Workload]) -> list[Verdict]:
    """Return the verdict on each of WORKLOADS as it stands now. Raises StateUnknown where the API server does not answer."""
    workloads = tuple(workloads)
    try:
        known = mirror.look(api, _kinds(workloads))
    except UNANSWERED as problem:
        raise StateUnknown(
            f"the API server does not answer: {problem}", hint="`invoke local.status` shows whether it runs"
        ) from None
    return [judge(workload, known) for workload in workloads]


class Watcher:
    """Watches the WORKLOADS of a release from `with` on: enter it after the manifest was applied, and it sees nothing older."""

    def __init__(
        self, cluster: Cluster, runner: Runner, workloads: Iterable[Workload], patience: Patience
    ) -> None:
        self._workloads, self._patience = tuple(workloads), patience
        self._wait = runner.cancellation.wait
        self._mirror = Mirror(Api(cluster, runner), (*_kinds(self._workloads), "Event"))
        self._waited: dict[str, float] = {}
        self._judged = time.monotonic()
        self._seen = -1
        self._own: set[str] = set()

    def __enter__(self) -> Self:
        self._mirror.__enter__()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._mirror.__exit__()

    def until_verdict(self, deadline: float, say: Say) -> Verdict:
        """Watch until every workload is good or one is bad; a rollout that is neither after DEADLINE seconds is bad.

        Raises Unreachable when the API server stops answering, also where it hangs or the deadline passes meanwhile.
        """
        end = time.monotonic() + deadline
        while True:
            verdict = self.look()
            late = time.monotonic() > end
            if verdict and verdict.outcome is not Outcome.WAITING:
                return verdict
            if self._mirror.silent > (min(UNREACHABLE, TICK * 10) if late else UNREACHABLE):
                raise Unreachable(self._mirror.silent, self._mirror.problem or "no answer")
            if late and verdict:
                late_by = f"not ready after {deadline:g} s: {verdict.sentence}"
                return replace(verdict, outcome=Outcome.BAD, sentence=late_by)
            if self._mirror.problem and self._mirror.silent > 3:
                say("the API server does not answer; asking again")
            elif verdict:
                say(verdict.sentence, verdict.ready, verdict.wanted)
            self.pause()

    def look(self) -> Verdict | None:
        """Return the verdict as things stand, or None as long as nothing is known. A wait that outlived its budget is bad."""
        self._seen, known = self._mirror.objects()
        if known is None:
            return None
        verdict = together([judge(workload, known) for workload in self._workloads])
        self._own |= set(verdict.serving)
        now = time.monotonic()
        passed, self._judged = now - self._judged, now
        if verdict.outcome is not Outcome.WAITING or not verdict.waits_for or self._mirror.silent > TICK * 10:
            return verdict
        # What is waited for alternates with other states: the sum counts, not the last stretch.
        waited = self._waited[verdict.waits_for] = self._waited.get(verdict.waits_for, 0.0) + passed
        if waited <= getattr(self._patience, verdict.waits_for):
            return verdict
        return replace(verdict, outcome=Outcome.BAD, sentence=f"{verdict.sentence} (for {waited:.0f} s)")

    def pause(self) -> None:
        """Sleep until something changes, but not for long. Raises Interrupted when a signal has come."""
        self._wait(PACE)
        end = time.monotonic() + TICK
        while time.monotonic() < end and self._mirror.version == self._seen:
            self._mirror.wait(self._seen, 0.1)
            self._wait(0)

    def serving(self) -> tuple[str, ...]:
        """Return the names of the release's pods that are ready."""
        verdict = self.look()
        return verdict.serving if verdict else ()

    def crashes(self) -> int:
        """Return how often containers of the release were started again."""
        return sum(pods.crashes(pod) for pod in self._pods() if pod["metadata"]["name"] in self._own)

    def last_crash(self) -> str:
        """Return how a container of the release ended, where one was started again: `pod app-1: container app exited with 3 …`."""
        for pod in self._pods():
            name = pod["metadata"]["name"]
            if name in self._own and (why := pods.unready(pod)):
                return f"pod {name}: {why}"
        return ""

    def told(self) -> list[dict[str, object]]:
        """Return for the report which pods of the release serve: name, node, since when, how often a container was started again."""
        serving = set(self.serving())
        return [
            {
                "name": pod["metadata"]["name"],
                "node": pod["spec"].get("nodeName", ""),
                "since": pod["status"].get("startTime", ""),
                "restarts": pods.crashes(pod),
            }
            for pod in self._pods()
            if pod["metadata"]["name"] in serving
        ]

    def leaving(self) -> bool:
        """Return whether pods are on their way out."""
        return any(pod["metadata"].get("deletionTimestamp") for pod in self._pods())

    def _pods(self) -> list[mirror.Object]:
        known = self._mirror.objects()[1] or Objects({})
        return [thing for (kind, _), thing in known.named.items() if kind == "Pod"]


def _kinds(workloads: tuple[Workload, ...]) -> tuple[str, ...]:
    kinds = dict.fromkeys(kind for one in workloads for kind in MADE_BY.get(one.kind, (one.kind,)))
    return (*kinds, "Pod")
