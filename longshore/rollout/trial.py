"""What a release has to go through after its manifest was applied, before it counts as good."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from longshore.rollout import bake, hooks, verify
from longshore.rollout.apply import apply
from longshore.rollout.render import Manifest
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.rollout.watch import Watcher
from longshore.steps.graph import Progress
from longshore.steps.memory import write_atomically

if TYPE_CHECKING:
    from longshore.rollout.records import Release
    from longshore.rollout.release import Releaser


DRAIN = 70.0  # seconds; k8s/base gives a pod 60


def settle(place: Releaser, release: Release, progress: Progress, *, new: bool) -> Verdict:
    """Apply RELEASE and follow it to its verdict; one that the public address does not serve is bad.

    A NEW release also has to pass the smoke tests and the bake; one that is returned to did so once, and the tests in the
    working tree are not its own. With a probe, requests that fail beyond the budget make it bad as well. Raises Unreachable
    when the API server stops answering.
    """
    if not (new and place.probe):
        return _settle(place, release, progress, new=new)
    with bake.Asking(place.url, place.authority, place.probe, drain=2.0) as asking:
        verdict = _settle(place, release, progress, new=new)
    result = asking.probe.result()
    write_atomically(place.work / "report" / "probe.json", json.dumps(result, indent=1))
    said = f"{result['failed']} of {result['sent']} requests failed, p50 {result['p50']} ms, p99 {result['p99']} ms"
    if (
        verdict.outcome is Outcome.GOOD
        and result["failed"] > place.environment.budgets.errors * result["sent"]
    ):
        return replace(
            verdict,
            outcome=Outcome.BAD,
            sentence=f"requests failed during the rollout: {said} ({result['classes']})",
        )
    return replace(verdict, sentence=f"{verdict.sentence}; {said}")


def _settle(place: Releaser, release: Release, progress: Progress, *, new: bool) -> Verdict:
    environment = place.environment
    things = Manifest(text=hooks.split(release.manifest)[""], mark="").objects()
    apply(place.cluster, place.runner, things, first=release.number == 1)
    released = workloads(things)
    with Watcher(place.cluster, place.runner, released, environment.patience) as watcher:
        verdict = watcher.until_verdict(environment.rollout_deadline, progress)
        if verdict.outcome is not Outcome.GOOD:
            return verdict
        # Until they are gone, old pods answer over connections that a balancer keeps: the new ones alone are on trial.
        end = time.monotonic() + DRAIN
        while watcher.leaving() and time.monotonic() < end:
            progress("waiting for the old pods to drain")
            watcher.pause()
            if (seen := watcher.look()) and seen.outcome is Outcome.BAD:
                return seen
        try:
            met = verify.until_answers(
                place.url, place.authority, digest=release.digest, revision=release.revision, deadline=environment.verify_deadline,
                pause=place.runner.cancellation.wait, say=progress, replicas=watcher.serving,
            )  # fmt: skip
        except verify.Unverified as problem:
            return replace(verdict, outcome=Outcome.BAD, sentence=problem.sentence)
        if len(met) < len(verdict.serving):
            verdict = replace(
                verdict, sentence=f"{verdict.sentence}, {len(met)} of them met at the public address"
            )
        if new:
            verdict = _tried(place, release, progress, watcher, verdict)
        write_atomically(place.work / "report" / "pods.json", json.dumps(watcher.told(), indent=1))
        return verdict


def _tried(
    place: Releaser, release: Release, progress: Progress, watcher: Watcher, verdict: Verdict
) -> Verdict:
    progress("running the smoke tests")
    env = {
        "LONGSHORE_URL": place.url,
        "LONGSHORE_REVISION": release.revision,
        "LONGSHORE_DIGEST": release.digest,
    }
    if place.authority:
        env["LONGSHORE_CA"] = str(place.authority)
    if failed := bake.smoke(place.root, place.work, place.runner, env):
        return replace(verdict, outcome=Outcome.BAD, sentence=failed)
    environment = place.environment
    if environment.bake:
        verdict = bake.bake(
            watcher, verdict, place.url, place.authority, seconds=environment.bake, budgets=environment.budgets, say=progress
        )  # fmt: skip
    return verdict
