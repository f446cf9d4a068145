"""A release from its manifest to its verdict: guard, lease, record, hooks, apply, verify, and the rollback."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import msgspec

from longshore.errors import BadInput, CommandFailed, Precondition
from longshore.graph.steps import Progress
from longshore.kubernetes.api import Api
from longshore.kubernetes.apply import apply
from longshore.rollout import barepods, canary, guard, jobs, records, rights, secrets, served
from longshore.rollout.attempt import Attempt, ReleaseResult, left_out, tolerated
from longshore.rollout.lease import Holder, Lease
from longshore.rollout.manifest import Manifest
from longshore.rollout.records import Release
from longshore.rollout.secrets import Secrets
from longshore.rollout.shape import Target
from longshore.rollout.site import Site

# What the API server says of fields that somebody else owns.
CONFLICT = re.compile(r'conflicts? with "([^"]+)"')
FIELD = re.compile(r"(?:: |^- )(\.\S+)$", re.MULTILINE)


def run(site: Site, manifest: Manifest, target: Target, mounted: Secrets, progress: Progress) -> ReleaseResult:
    """Roll MANIFEST out and verify it. MOUNTED is the Secret that it mounts, if any.

    What cannot be cleaned up after a good release is in its warnings. Raises Precondition for the wrong site, LockHeld
    while another release is running, BadInput when the API server refuses the manifest, Precondition without room for a
    canary, StepFailed when a hook before the rollout failed, RolledBack, and StateUnknown.
    """
    progress("checking account, cluster and revision")
    guard.cluster(site.environment, Api(site.cluster, site.runner), site.eks)
    _refuse(site)
    rights.ensure(site.cluster, site.runner, manifest.rights)
    with leased(site, progress):
        _refuse(site)  # while we waited for the lease, a newer one may have been released, or the slot given back
        reclaimed = _admit(site, manifest, progress)
        canary.admissible(site, manifest, target.digest)
        earlier = _earlier(site)
        secrets.apply(site.cluster, site.runner, mounted)
        release = _started(site, earlier, target.revision, target.digest, manifest.text, site.promoted)
        result = Attempt(site, release, earlier, progress, new=True).run()
        with tolerated() as warnings:
            secrets.prune(site.cluster, site.runner, manifest, earlier)
    return msgspec.structs.replace(result, reclaimed=reclaimed, warnings=(*result.warnings, *warnings))


def return_to(site: Site, chosen: Release, progress: Progress) -> ReleaseResult:
    """Roll out what the recorded release CHOSEN did, as a new release with its own record.

    Raises like `run`, and Precondition where the API server no longer takes what was recorded.
    """
    guard.cluster(site.environment, Api(site.cluster, site.runner), site.eks)
    with leased(site, progress):
        objects, gone = served.split(site, chosen.content.lasting)
        try:
            apply(site.cluster, site.runner, objects, dry_run=True)
        except CommandFailed as problem:
            refused = f"release {chosen.number} can no longer be applied; nothing was changed"
            raise Precondition(refused, detail=problem.detail, hint="the lines above name object and field") from None
        earlier = _earlier(site)
        release = _started(site, earlier, chosen.revision, chosen.digest, chosen.manifest, chosen.promoted)
        result = Attempt(site, release, earlier, progress, new=False).run()
    return msgspec.structs.replace(result, warnings=(*left_out(gone), *result.warnings))


@contextlib.contextmanager
def leased(site: Site, progress: Progress) -> Iterator[None]:
    """Be the only release of this namespace; a change after the lease is lost raises LeaseLost."""
    holder, wait = Holder.new(site.actor, site.checkout, site.job), site.environment.lease_wait
    api, pause = Api(site.cluster, site.runner), site.runner.cancellation.wait
    with Lease(api, holder, wait=wait, pause=pause, say=progress) as lease, site.runner.fenced(lease.check):
        barepods.clear(site, progress)
        yield


def _refuse(site: Site) -> None:
    site.still()
    if site.environment.protected:
        releases = records.history(site.cluster, site.runner)
        guard.revision(site.environment, site.runner, site.commit, releases, allow_older=site.allow_older)


def _admit(site: Site, manifest: Manifest, progress: Progress) -> str:
    """Have the API server check MANIFEST; return the fields that will be taken back, and from whom."""
    progress("asking the API server to check the manifest")
    objects, reclaimed = jobs.admissible(site, manifest.released), ""
    try:
        try:
            apply(site.cluster, site.runner, objects, dry_run=True, force=False)
        except CommandFailed as problem:
            owners = ", ".join(sorted(set(CONFLICT.findall(problem.detail))))
            if not owners:
                raise
            names = ", ".join(sorted(set(FIELD.findall(problem.detail))))
            reclaimed = f"{names or 'fields'} from {owners}"
            progress(f"taking back {reclaimed}")
            apply(site.cluster, site.runner, objects, dry_run=True)
    except CommandFailed as problem:
        refused = "the API server refuses the manifest; nothing was changed"
        raise BadInput(refused, detail=problem.detail, hint="the lines above name object and field") from None
    return reclaimed


def _earlier(site: Site) -> list[Release]:
    """Return the recorded releases, the newest first; those that killed runs left unfinished are now failed."""
    releases = records.history(site.cluster, site.runner)
    return records.abandon(site.cluster, site.runner, releases, records.now())


def _started(site: Site, earlier: list[Release], revision: str, digest: str, manifest: str, promoted: str) -> Release:
    release = Release(
        number=earlier[0].number + 1 if earlier else 1,
        revision=revision,
        digest=digest,
        actor=site.actor,
        started=records.now(),
        manifest=manifest,
        job=site.job,
        promoted=promoted,
    )
    records.write(site.cluster, site.runner, release)
    return release
