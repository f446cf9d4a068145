"""Follows a rollout until it has a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Self

from msgspec.structs import replace

from longshore.commands.kubectl import Cluster
from longshore.errors import StateUnknown
from longshore.kubernetes import mirror
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.mirror import Mirror, Objects
from longshore.process.runner import Runner
from longshore.rollout import pods
from longshore.rollout.verdict import Outcome, Verdict, Workload, judge, together
from longshore.settings.rollout import Patience

PACE = 0.04  # seconds between two verdicts, however fast things change
TICK = 0.5  # seconds between two verdicts where nothing changes: budgets run out all the same
UNREACHABLE = 30.0  # seconds without an answer from the API server after which the state counts as unknown
MADE_BY = {"Deployment": ("Deployment", "ReplicaSet")}

Say = Callable[..., None]


class Unreachable(StateUnknown):
    """The API server has not answered for too long; what is serving is unknown."""

    hint = "once it answers again, `invoke status` shows what is serving"


def moment(cluster: Cluster, runner: Runner) -> str:
    """Return what time it is by the server's clock; an empty text, before which nothing is, if it does not answer."""
    try:
        return mirror.moment(Api(cluster, runner))
    except UNANSWERED:
        return ""


def look(api: Api, workloads: Iterable[Workload]) -> Verdict:
    """Return the verdict on WORKLOADS as of now. Raises StateUnknown if the API server does not answer."""
    workloads = tuple(workloads)
    try:
        known = mirror.look(api, _kinds(workloads))
    except UNANSWERED as problem:
        hint = "`invoke local.status` shows whether it runs"
        raise StateUnknown(f"the API server does not answer: {problem}", hint=hint) from None
    verdict = together([judge(workload, known) for workload in workloads])
    return replace(verdict, draining=_leaving(workloads, known))


class Watcher:
    """Watches a release's WORKLOADS while entered: after the manifest is applied, so that it sees nothing older.

    SINCE is the moment before that, by the server's clock: nothing that happened earlier counts.
    """

    def __init__(
        self, cluster: Cluster, runner: Runner, workloads: Iterable[Workload], patience: Patience, since: str = ""
    ) -> None:
        self._workloads, self._patience = tuple(workloads), patience
        self._wait = runner.cancellation.wait
        self._mirror = Mirror(Api(cluster, runner), (*_kinds(self._workloads), "Event"), since)
        self._waited: dict[str, float] = {}
        self._judged = time.monotonic()
        self._seen = -1
        self._own: set[str] = set()
        self._serving: list[tuple[str, ...]] = []

    def __enter__(self) -> Self:
        self._mirror.__enter__()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._mirror.__exit__()

    def until_verdict(self, deadline: float, say: Say) -> Verdict:
        """Watch until every workload is good or one is bad; a rollout that is neither after DEADLINE seconds is bad.

        Raises Unreachable when the API server stops answering or hangs, even if the deadline passes meanwhile.
        """
        end = time.monotonic() + deadline
        while True:
            verdict = self.look()
            late = time.monotonic() > end
            if verdict and verdict.outcome is not Outcome.WAITING:
                return verdict
            if self._mirror.silent > (min(UNREACHABLE, TICK * 10) if late else UNREACHABLE):
                since = f"{self._mirror.silent:.0f} s during the rollout ({self._mirror.problem or 'no answer'})"
                raise Unreachable(f"the API server has not answered for {since}; nothing was rolled back")
            if late and verdict:
                sentence = f"not ready after {deadline:g} s: {verdict.sentence}"
                return replace(verdict, outcome=Outcome.BAD, sentence=sentence)
            if self._mirror.problem and self._mirror.silent > 3:
                say("the API server does not answer; retrying")
            elif verdict:
                say(verdict.sentence, verdict.ready, verdict.wanted)
            self.pause()

    def look(self) -> Verdict | None:
        """Return the verdict as of now, None while nothing is known yet. A wait beyond its budget is bad."""
        self._seen, known = self._mirror.objects()
        if known is None:
            return None
        verdicts = [judge(workload, known) for workload in self._workloads]
        verdict, self._serving = together(verdicts), [verdict.serving for verdict in verdicts]
        self._own |= set(verdict.serving)
        now = time.monotonic()
        passed, self._judged = now - self._judged, now
        if verdict.outcome is not Outcome.WAITING or not verdict.waits_for or self._mirror.silent > TICK * 10:
            return verdict
        # Waits alternate with other states: the sum counts, not the last stretch.
        waited = self._waited[verdict.waits_for] = self._waited.get(verdict.waits_for, 0.0) + passed
        if waited <= getattr(self._patience, verdict.waits_for):
            return verdict
        return replace(verdict, outcome=Outcome.BAD, sentence=f"{verdict.sentence} (for {waited:.0f} s)")

    def pause(self) -> None:
        """Sleep until something changes, at most PACE + TICK. Raises Interrupted once a signal has arrived."""
        self._wait(PACE)
        end = time.monotonic() + TICK
        while time.monotonic() < end and self._mirror.version == self._seen:
            self._mirror.wait(self._seen, 0.1)
            self._wait(0)

    def serving(self) -> list[tuple[str, ...]]:
        """Return the ready pods of each workload."""
        self.look()
        return self._serving

    def crashes(self) -> int:
        """Return how often the release's containers were restarted."""
        return sum(pods.crashes(pod) for pod in self._pods() if pod["metadata"]["name"] in self._own)

    def last_crash(self) -> str:
        """Return how a restarted container of the release ended: `pod app-1: container app exited with code 3`."""
        for pod in self._pods():
            name = pod["metadata"]["name"]
            if name in self._own and (why := pods.unready(pod)):
                return f"pod {name}: {why}"
        return ""

    def told(self) -> list[dict[str, object]]:
        """Return the release's ready pods for the report: name, node, since (ISO 8601), restarts."""
        serving = {name for names in self.serving() for name in names}
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

    def leaving(self) -> int:
        """Return how many pods of the release's workloads are being deleted."""
        return _leaving(self._workloads, self._mirror.objects()[1] or Objects({}))

    def _pods(self) -> list[mirror.Object]:
        known = self._mirror.objects()[1] or Objects({})
        return [item for (kind, _), item in known.named.items() if kind == "Pod"]


def _leaving(workloads: Iterable[Workload], known: Objects) -> int:
    live = [item for workload in workloads if (item := known.named.get((workload.kind, workload.name)))]
    makers = [*live, *(replicas for item in live for replicas in known.owned("ReplicaSet", item))]
    pods = [pod for maker in makers for pod in known.owned("Pod", maker)]
    return sum(bool(pod["metadata"].get("deletionTimestamp")) for pod in pods)


def _kinds(workloads: tuple[Workload, ...]) -> tuple[str, ...]:
    kinds = dict.fromkeys(kind for workload in workloads for kind in MADE_BY.get(workload.kind, (workload.kind,)))
    return (*kinds, "Pod")
