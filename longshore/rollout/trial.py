"""What a release has to go through after its manifest was applied, before it counts as good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from longshore.rollout import verify
from longshore.rollout.render import Manifest
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.rollout.watch import Watcher
from longshore.steps.graph import Progress

if TYPE_CHECKING:
    from longshore.rollout.records import Release
    from longshore.rollout.release import Releaser


def settle(place: Releaser, release: Release, progress: Progress) -> Verdict:
    """Follow RELEASE, which was just applied, to its verdict; one that the public address does not serve is bad.

    Raises Unreachable when the API server stops answering.
    """
    environment = place.environment
    released = workloads(Manifest(text=release.manifest, mark="").objects())
    with Watcher(place.cluster, place.runner, released, environment.patience) as watcher:
        verdict = watcher.until_verdict(environment.rollout_deadline, progress)
        if verdict.outcome is not Outcome.GOOD:
            return verdict
        try:
            verify.until_answers(
                place.url, place.authority, digest=release.digest, revision=release.revision, deadline=environment.verify_deadline,
                pause=place.runner.cancellation.wait, say=progress,
            )  # fmt: skip
        except verify.Unverified as problem:
            return replace(verdict, outcome=Outcome.BAD, sentence=problem.sentence)
    return verdict
