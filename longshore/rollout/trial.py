"""What a release has to go through after its manifest was applied, before it counts as good."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from longshore.rollout import bake, verify
from longshore.rollout.render import Manifest
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.rollout.watch import Watcher
from longshore.steps.graph import Progress

if TYPE_CHECKING:
    from longshore.rollout.records import Release
    from longshore.rollout.release import Releaser


DRAIN = 70.0  # seconds; k8s/base gives a pod 60


def settle(place: Releaser, release: Release, progress: Progress, *, new: bool) -> Verdict:
    """Follow RELEASE, which was just applied, to its verdict; one that the public address does not serve is bad.

    A NEW release also has to pass the smoke tests and the bake; one that is returned to did so once, and the tests in the
    working tree are not its own. Raises Unreachable when the API server stops answering.
    """
    environment = place.environment
    released = workloads(Manifest(text=release.manifest, mark="").objects())
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
        return _tried(place, release, progress, watcher, verdict) if new else verdict


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
