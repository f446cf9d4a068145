"""Lets a share of a release take real traffic beside the old pods, and takes it back where it does worse than they do.

The share are pods of no workload, with all labels of the Deployment's own: so its Services, budgets and policies hold
for them, and no ReplicaSet adopts them, since they lack its hash. The Deployment and all else stay as they are, so
taking a canary back is deleting its pods. When every step has passed they are deleted, too, and the rollout begins.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from msgspec import Struct

from longshore.errors import CommandFailed, DiskFull, Precondition, StateUnknown
from longshore.graph.steps import Progress
from longshore.kubernetes import mirror
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.apply import apply
from longshore.kubernetes.mirror import Objects
from longshore.kubernetes.paths import collection
from longshore.rollout import bake, barepods, compare, evidence, pods, records
from longshore.rollout.barepods import CANARY, NO_ROOM, TakenBack, roomless, workload
from longshore.rollout.manifest import Manifest, Object
from longshore.rollout.meter import Meter
from longshore.rollout.pods import short
from longshore.rollout.records import Release
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome, Verdict
from longshore.rollout.watch import Unreachable, Watcher
from longshore.settings.rollout import DRAIN

EVERY = 2.0  # seconds between two readings
OTHERS = ("StatefulSet", "DaemonSet", "ReplicaSet")  # a second pod of these shares an identity, or a node's ports


class Worse(TakenBack):
    """A canary did worse than the old pods, for `cause`; what was serving is unchanged."""

    what = "the canary was taken back"


class Left(StateUnknown):
    """A canary did worse and could not be taken back."""


class _Flock(Struct):
    """A Deployment that gets a canary: its new `made` pods, beside `wanted` old ones."""

    deployment: Object
    port: int
    quiet: frozenset[str]
    wanted: int
    made: list[Object]

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    def old(self, known: Objects) -> list[Object]:
        """Return the Deployment's own pods that are ready."""
        live = known.named.get(("Deployment", self.name))
        sets = known.owned("ReplicaSet", live) if live else []
        return [pod for replicas in sets for pod in known.owned("Pod", replicas) if pods.ready(pod)]


def admissible(site: Site, manifest: Manifest, digest: str) -> None:
    """Raise Precondition where a quota leaves no room for a pod beside what serves. Nothing is changed."""
    environment, namespace = site.environment, site.cluster.namespace
    if not (environment.canary_steps or environment.prove):
        return
    if not records.last_good(records.history(site.cluster, site.runner)):
        return  # the first one replaces nothing
    for deployment, _ in barepods.running(manifest.rolled_out, digest):
        name = f"{deployment['metadata']['name']}-canary"
        pod = barepods.made(deployment, name, namespace, {CANARY: "0"}, 60)
        try:
            apply(site.cluster, site.runner, [pod], dry_run=True)
        except CommandFailed as problem:
            if NO_ROOM.search(problem.detail):
                hint = f"raise the quota, or set `prove` and `canary` of {environment.name} so that none is needed"
                sentence = f"{roomless(short(problem.detail))}; nothing was changed"
                raise Precondition(sentence, hint=hint) from None


def run(site: Site, release: Release, progress: Progress) -> str:
    """Have RELEASE take traffic for `bake` seconds in each step of the settings; return in a sentence how that went.

    Raises Worse with evidence saved, Left where the canary may still be there, Interrupted and LeaseLost. The
    pods are deleted whatever happens.
    """
    steps = site.environment.canary_steps
    if not steps:
        return ""
    api = Api(site.cluster, site.runner)
    try:
        flocks, without = _flocks(api, release)
    except UNANSWERED as problem:
        raise Worse(f"it cannot be started: {problem}", hint="run the same command again", detail="") from None
    figures = ""
    try:
        for step in steps if flocks else ():
            cause, figures = _step(site, api, release, flocks, step, progress)
            if cause:
                _take_back(site, api, release, flocks, cause, progress)
    finally:
        barepods.delete(api, _names(flocks))
    none = f"no canary of {', '.join(without)}" if without else ""
    return "; ".join(filter(None, (figures, none)))


def _flocks(api: Api, release: Release) -> tuple[list[_Flock], list[str]]:
    """Return the Deployments that get a canary, and in words the workloads that get none and why."""
    objects, known = release.content.rolled_out, mirror.look(api, ("Deployment",))
    services = [*objects, *api.items(collection("Service", api.namespace), "")]
    selectors = [item["spec"].get("selector") for item in services if item["kind"] == "Service"]
    others = barepods.running(objects, release.digest, OTHERS)
    without = [f"{item['kind'].lower()} {item['metadata']['name']}" for item, _ in others]
    flocks = []
    for deployment, container in barepods.running(objects, release.digest):
        labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
        name = deployment["metadata"]["name"]
        live = known.named.get(("Deployment", name))
        wanted = int(live["spec"].get("replicas", 1)) if live else 0
        reached = any(selector and selector.items() <= labels.items() for selector in selectors)
        if why := _why_none(deployment["spec"], wanted=wanted, reached=reached):
            without.append(f"deployment {name} ({why})")
            continue
        ports = container.get("ports") or ()
        flocks.append(_Flock(deployment, ports[0]["containerPort"] if ports else 0, _quiet(container), wanted, []))
    return flocks, without


def _why_none(spec: Object, *, wanted: int, reached: bool) -> str:
    """Return why the Deployment of SPEC gets no canary, an empty text where it does."""
    reasons = (
        (not reached, "no Service leads to it"),
        (not wanted, "no old pod"),
        (spec.get("paused"), "it is paused"),
        ((spec.get("strategy") or {}).get("type") == "Recreate", "its strategy is Recreate"),
    )
    return next((why for holds, why in reasons if holds), "")


def _quiet(container: Object) -> frozenset[str]:
    """Return the paths that only Kubernetes asks CONTAINER for."""
    probes = (container.get(f"{kind}Probe") or {} for kind in ("startup", "readiness", "liveness"))
    return frozenset(probe["httpGet"].get("path", "/") for probe in probes if "httpGet" in probe)


def _names(flocks: Iterable[_Flock]) -> tuple[str, ...]:
    return tuple(pod["metadata"]["name"] for flock in flocks for pod in flock.made)


def _grow(site: Site, api: Api, release: Release, flocks: list[_Flock], step: int) -> str:
    """Start what STEP percent of the replicas lack, rounded up; return why that cannot be."""
    environment, count = site.environment, len(site.environment.canary_steps)
    lifetime = count * (environment.rollout_deadline + environment.bake + bake.SETTLE) + 60
    try:
        barepods.provide(site, api, release.content)
        for flock in flocks:
            labels = flock.deployment["spec"]["template"]["metadata"]["labels"] | {CANARY: str(release.number)}
            while len(flock.made) < math.ceil(step * flock.wanted / 100):
                name = f"{flock.name}-canary-{release.number}-{len(flock.made) + 1}"
                flock.made.append(barepods.made(flock.deployment, name, api.namespace, labels, lifetime))
                apply(site.cluster, site.runner, flock.made[-1:])
    except UNANSWERED as problem:
        return roomless(f"its pod cannot be created: {short(getattr(problem, 'detail', '') or str(problem))}")
    return ""


def _step(
    site: Site, api: Api, release: Release, flocks: list[_Flock], step: int, progress: Progress
) -> tuple[str, str]:
    """Return what the canary did worse in a STEP, an empty text for nothing; and what it and the old pods did."""

    def say(text: str, *counts: int) -> None:
        progress(f"canary of {step}%: {text}", *counts)

    if cause := _grow(site, api, release, flocks, step):
        return cause, ""
    workloads = [workload(pod) for flock in flocks for pod in flock.made]
    with Watcher(site.cluster, site.runner, workloads, site.environment.patience) as watcher:
        try:
            verdict = watcher.until_verdict(site.environment.rollout_deadline, say)
        except Unreachable as problem:
            return problem.sentence, ""
        if verdict.outcome is Outcome.BAD:
            return roomless(verdict.sentence), ""
        with ExitStack() as stack:
            beside = [_Beside(site, api, flock, stack) for flock in flocks]
            cause = _watch(site, api, watcher, verdict, beside, say)
            return cause, "; ".join(each.said(site.environment.bake) for each in beside)


class _Beside:
    """A canary and its old pods in a step: what either did so far."""

    def __init__(self, site: Site, api: Api, flock: _Flock, stack: ExitStack) -> None:
        self._flock, self._margin = flock, site.environment.budgets.errors
        self._new, self._old = (stack.enter_context(Meter(site, api, flock.port, flock.quiet)) for _ in range(2))
        self._restarts: dict[str, tuple[int, int]] = {}  # of old pods, when first and when last seen

    def read(self, known: Objects) -> str:
        """Take what the pods KNOWN have answered; return what the canary does worse."""
        old = self._flock.old(known)
        for pod in old:
            name, now = pod["metadata"]["name"], pods.crashes(pod)
            self._restarts[name] = self._restarts.get(name, (now, now))[0], now
        self._new.read(_names([self._flock]))
        self._old.read(sorted(pod["metadata"]["name"] for pod in old))
        return compare.worse(*self.tallies, self._margin)

    @property
    def tallies(self) -> tuple[compare.Tally, compare.Tally]:
        counted = self._new.counts and self._old.counts
        return self._new.tally(counted=counted), self._old.tally(counted=counted)

    @property
    def restarts(self) -> tuple[int, int]:
        """How often containers of the old pods were restarted, and how many old pods there are."""
        return sum(now - first for first, now in self._restarts.values()), len(self._restarts)

    def said(self, seconds: float) -> str:
        share = f"{len(self._flock.made)} beside {self._flock.wanted} pods of {self._flock.name}"
        return f"canary of {share} for {seconds:g} s ({compare.said(*self.tallies)})"


def _watch(site: Site, api: Api, watcher: Watcher, verdict: Verdict, beside: list[_Beside], say: Progress) -> str:
    """Return what the canary does worse within `bake` seconds, an empty text for nothing."""
    seconds, began, crashed = site.environment.bake, time.monotonic(), watcher.crashes()
    read, well = 0.0, began  # when the pods were last read, and when they were last well
    while True:
        verdict, now = watcher.look() or verdict, time.monotonic()
        passed, last = now - began, now - began >= seconds
        well = now if verdict.outcome is Outcome.GOOD else well
        cause = ""
        if now - read >= EVERY or last:
            cause, read = _read(api, beside), now
        cause = cause or _unwell(watcher, verdict, beside, watcher.crashes() - crashed, now - well)
        if cause:
            return f"{passed:.0f} s after it was ready {cause}"
        if last and verdict.outcome is Outcome.GOOD:
            return ""
        say(f"{passed:.0f} of {seconds:g} s, {verdict.sentence}", int(min(passed, seconds)), int(seconds))
        site.runner.admit(change=True)  # without the lease somebody else decides
        watcher.pause()


def _read(api: Api, beside: list[_Beside]) -> str:
    try:
        known = mirror.look(api, ("Deployment", "ReplicaSet", "Pod"))
    except UNANSWERED:
        return ""  # the next reading may be answered; a lease that cannot be renewed ends this
    return next(filter(None, (each.read(known) for each in beside)), "")


def _unwell(watcher: Watcher, verdict: Verdict, beside: list[_Beside], crashes: int, unwell: float) -> str:
    """Return what is wrong with a canary that was ready: more restarts than old pods have, or not ready for long."""
    restarts, old = (sum(figure) for figure in zip(*(each.restarts for each in beside), strict=True))
    restarted = crashes / max(1, verdict.wanted) > restarts / max(1, old)
    if not restarted and verdict.outcome is not Outcome.BAD and unwell <= bake.SETTLE:
        return ""
    for _ in range(bake.EXPLAIN):  # its status gives the reason a moment later
        watcher.pause()
    why = watcher.last_crash() or (watcher.look() or verdict).sentence
    figures = f"it was restarted {crashes} times, {restarts} times the {old} old pods; " if restarted else ""
    return f"{figures}{why}"


def _take_back(site: Site, api: Api, release: Release, flocks: list[_Flock], cause: str, progress: Progress) -> None:
    """Delete the canary, once its logs are saved, and raise Worse when it is gone."""
    progress("saving logs and events")
    folder = site.report / "evidence" / f"release-{release.number}"
    log = ""
    with suppress(OSError, DiskFull):
        log = evidence.save(site.cluster, site.runner, _names(flocks), folder)
    barepods.delete(api, _names(flocks))
    progress("waiting for the canary to drain")
    made = [pod for flock in flocks for pod in flock.made]
    if not barepods.until_gone(api, made, DRAIN, site.runner.cancellation.wait):
        sentence = f"the canary may still take requests: {cause}; its pods could not be seen to end"
        hint = f"they end by themselves, and the next release deletes them; logs and events are in {folder}"
        raise Left(sentence, hint=hint, detail=log)
    raise Worse(cause, hint=f"logs and events are in {folder}", detail=log)
