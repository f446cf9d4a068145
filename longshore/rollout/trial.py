"""Applies a release and follows it through everything that it has to pass before it counts as good."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable

from msgspec.structs import replace

from longshore.files import write_atomically
from longshore.graph.steps import Progress
from longshore.kubernetes.apply import apply
from longshore.rollout import bake, jobs, pruning, scaled, served, smoke, verify, watch, web_acl
from longshore.rollout.manifest import Manifest
from longshore.rollout.pods import old
from longshore.rollout.records import Release
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.rollout.watch import Watcher
from longshore.settings.rollout import DRAIN

Tests = Callable[[], str]
HASTE = 5.0  # seconds in which the address must answer while old pods drain, which may answer, too: then they go first


def settle(site: Site, release: Release, progress: Progress, *, new: bool, replaced: Release | None = None) -> Verdict:
    """Apply RELEASE and return its verdict; one that the public address does not serve is bad.

    A NEW release also has to pass the smoke tests and the bake, and the probe's budget where the site asks for one.
    It ends once it serves: pods of what it REPLACED may still drain, unless something depends on their end.
    Raises Unreachable when the API server stops answering, Unasked when the web ACL keeps the address from being asked.
    """
    if not (new and site.probe):
        return _settle(site, release, progress, new=new, replaced=replaced)
    with bake.Asking(site.url, site.authority, site.probe, drain=2.0) as asking:
        verdict = _settle(site, release, progress, new=new, replaced=replaced)
    result = asking.probe.result()
    write_atomically(site.report / "probe.json", json.dumps(result, indent=1))
    figures = f"{result['failed']} of {result['sent']} requests failed, p50 {result['p50']} ms, p99 {result['p99']} ms"
    if result["blocked"]:
        figures += f"; then the web ACL blocked this machine, and the probe stopped: {web_acl.HINT}"
    if verdict.outcome is Outcome.GOOD and result["failed"] > site.environment.budgets.errors * result["sent"]:
        sentence = f"requests failed during the rollout: {figures} ({result['classes']})"
        return replace(verdict, outcome=Outcome.BAD, sentence=sentence)
    return replace(verdict, sentence=f"{verdict.sentence}; {figures}")


def _settle(site: Site, release: Release, progress: Progress, *, new: bool, replaced: Release | None) -> Verdict:
    environment, manifest = site.environment, release.content
    since = watch.moment(site.cluster, site.runner)
    # A way back runs no Job and does without kinds that left the cluster.
    objects = jobs.due(site, manifest.rolled_out) if new else served.split(site, manifest.lasting)[0]
    scaled.keep(site, objects)
    apply(site.cluster, site.runner, objects, first=release.number == 1)
    judged = manifest.workloads if new else workloads(manifest.lasting)
    with (
        Watcher(site.cluster, site.runner, judged, environment.patience, since) as watcher,
        smoke.prepared(site, release) if new else contextlib.nullcontext() as tests,
    ):
        good = verdict = watcher.until_verdict(environment.rollout_deadline, progress)
        if good.outcome is not Outcome.GOOD:
            return good
        why = _why_wait(site, manifest, replaced, new=new)
        if not why:
            beside = watcher.leaving()
            verdict = _tried(site, release, watcher, good, progress, tests, deadline=HASTE if beside else None)
            if verdict.outcome is Outcome.BAD and (beside or watcher.leaving()):
                why = "since one of them may have answered"
        if why:
            verdict = _drained(watcher, good, progress, why)
            if verdict.outcome is Outcome.GOOD:
                verdict = _tried(site, release, watcher, good, progress, tests)
        with contextlib.suppress(OSError):  # a full disk keeps nobody from returning
            write_atomically(site.report / "pods.json", json.dumps(watcher.told(), indent=1))
        return replace(verdict, draining=watcher.leaving())


def _why_wait(site: Site, manifest: Manifest, replaced: Release | None, *, new: bool) -> str:
    """Return why a release may not end before old pods have, an empty text where it may."""
    environment = site.environment
    missed = replaced and replaced.readable and pruning.missed(replaced.content, manifest)
    reasons = (
        (not new, "so that nothing else answers any more"),
        (environment.protected, f"as {environment.name} is protected: the release serves, and soon it serves alone"),
        (environment.bake, "before the release is baked"),
        (site.probe, "for as long as the probe asks"),
        (manifest.after, "before the hooks that follow"),
        (missed, "before what they may still use is deleted"),
    )
    return next((why for holds, why in reasons if holds), "")


def _drained(watcher: Watcher, good: Verdict, progress: Progress, why: str) -> Verdict:
    """Wait until old pods are gone, which WHY says what for; return the GOOD verdict, or a bad one meanwhile."""
    end = time.monotonic() + DRAIN
    while (count := watcher.leaving()) and time.monotonic() < end:
        progress(f"waiting for {old(count)} to drain, {why}")
        watcher.pause()
        if (now := watcher.look()) and now.outcome is Outcome.BAD:
            return now
    return good


def _tried(
    site: Site,
    release: Release,
    watcher: Watcher,
    good: Verdict,
    progress: Progress,
    tests: Tests | None,
    *,
    deadline: float | None = None,
) -> Verdict:
    """Return the verdict on a GOOD release whose address is asked; one that has TESTS still passes them and is baked.

    DEADLINE is for the address, in seconds, where it is less than that of the settings.
    """
    environment, pause = site.environment, site.runner.cancellation.wait
    deadline = min(deadline or environment.verify_deadline, environment.verify_deadline)

    def verified() -> set[str]:
        return verify.until_answers(
            site,
            release,
            deadline=deadline,
            pause=pause,
            say=progress,
            asked=release.content.asked,
            replicas=watcher.serving,
        )

    try:
        answered = verified()
        failure = _smoke(site, release, verified, progress, tests) if tests else ""
    except verify.Unverified as problem:
        return replace(good, outcome=Outcome.BAD, sentence=problem.sentence)
    verdict = good
    if verify.expected(watcher.serving(), answered) - answered:
        sentence = f"{verdict.sentence}, {len(answered)} of them answered at the public address"
        verdict = replace(verdict, sentence=sentence)
    if failure:
        verdict = replace(verdict, outcome=Outcome.BAD, sentence=failure)
    elif tests and environment.bake:
        verdict = bake.bake(site, watcher, verdict, progress)
    return verdict


def _smoke(site: Site, release: Release, verified: Callable[[], object], progress: Progress, tests: Tests) -> str:
    """Return what failed of the smoke TESTS; where the web ACL answered them, they run again once it does not."""
    progress("running the smoke tests")
    failure = tests()
    if failure and verify.blocked(site.url, site.authority, release.content.asked.version or "/"):
        verified()
        failure = tests()
    return failure
