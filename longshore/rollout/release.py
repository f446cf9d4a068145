"""A release from its manifest to its verdict: guard, lease, record, apply, watch, verify, and the way back."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from longshore.commands.kubectl import Cluster
from longshore.errors import (
    BadInput,
    CommandFailed,
    Failure,
    Interrupted,
    Precondition,
    RolledBack,
    StateUnknown,
    StepFailed,
)
from longshore.rollout import evidence, guard, hooks, pruning, records, rights, secrets, trial
from longshore.rollout.api import Api
from longshore.rollout.apply import apply
from longshore.rollout.lease import Holder, Lease, LeaseLost
from longshore.rollout.pods import ARCHITECTURE
from longshore.rollout.records import Release
from longshore.rollout.render import Manifest, Target
from longshore.rollout.secrets import Secrets
from longshore.rollout.verdict import Outcome, Verdict
from longshore.runner import Runner
from longshore.settings import Environment
from longshore.steps.graph import Progress

CONFLICT = re.compile(r'conflicts? with "([^"]+)"')
FIELD = re.compile(r"(?:: |^- )(\.\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Releaser:
    """Everything that a release needs: where, what, and who. `probe`: requests a second that ask all along, 0 for none."""

    cluster: Cluster
    environment: Environment
    runner: Runner
    url: str
    authority: Path | None
    actor: str
    checkout: str
    job: str
    eks: str
    source: guard.Source
    root: Path
    work: Path
    probe: float = 0

    @property
    def evidence(self) -> Path:
        """Where logs and events of failed releases are kept."""
        return self.work / "report" / "evidence"

    def run(self, manifest: Manifest, target: Target, mounted: Secrets, progress: Progress) -> str:
        """Roll MANIFEST out and verify it.

        Raises Precondition where this is not what the settings mean and LockHeld where another release is under way, RolledBack when
        it failed and the last good release serves again, StepFailed when a hook ahead of it failed, StateUnknown when a person must look,
        BadInput when the API server refused the manifest and nothing was changed.
        """
        progress("comparing account, cluster and revision with the settings")
        guard.cluster(self.environment, Api(self.cluster, self.runner), self.eks)
        self._newest()
        rights.ensure(self.cluster, self.runner, manifest.rights)
        with self._leased(progress):
            self._newest()  # the one we waited for may have been newer
            taken = self._admitted(manifest, progress)
            releases = self._ended()
            secrets.apply(self.cluster, self.runner, mounted)
            release = self._intent(releases, target.revision, target.digest, manifest.text)
            said = self._bring(release, releases, progress, new=True)
            secrets.prune(self.cluster, self.runner, releases, manifest.text)
        return said + (f"; took back {taken}" if taken else "")

    def return_to(self, to: Release, progress: Progress) -> str:
        """Make the recorded release TO serve again, as a new release with a record of its own. Raises like `run`."""
        guard.cluster(self.environment, Api(self.cluster, self.runner), self.eks)
        with self._leased(progress):
            releases = self._ended()
            release = self._intent(releases, to.revision, to.digest, to.manifest)
            return self._bring(release, releases, progress, new=False)

    @contextlib.contextmanager
    def _leased(self, progress: Progress) -> Iterator[None]:
        """Be the only release of this namespace; a change after the lease is lost raises LeaseLost."""
        lease = Lease(
            Api(self.cluster, self.runner), Holder.new(self.actor, self.checkout, self.job), wait=self.environment.lease_wait,
            pause=self.runner.cancellation.wait, say=progress,
        )  # fmt: skip
        with lease, self.runner.fenced(lease.check):
            yield

    def _ended(self) -> list[Release]:
        """Return the releases; those that a killed run left unfinished are given up."""
        found = records.history(self.cluster, self.runner)
        return records.abandon(self.cluster, self.runner, found, _now())

    def _newest(self) -> None:
        if self.environment.protected:
            guard.revision(
                self.environment, self.runner, self.source, records.history(self.cluster, self.runner)
            )

    def _bring(self, release: Release, releases: list[Release], progress: Progress, *, new: bool) -> str:
        records.write(self.cluster, self.runner, release)
        if new and (failed := hooks.run(self, release, hooks.BEFORE, progress)):
            self._record(release, records.FAILED, failed.sentence)
            if hooks.irreversible(release.manifest):
                raise StateUnknown(
                    f"an irreversible hook failed half-way: {failed.sentence}",
                    hint="what served still serves, as far as it can live with that; look at what the hook has done before you go on",
                )
            raise StepFailed(
                f"a hook ahead of the rollout failed: {failed.sentence}",
                hint="what served still serves; the hook's Job runs anew with the next release",
            )
        progress("applying")
        try:
            verdict = trial.settle(self, release, progress, new=new)
            if new and verdict.outcome is Outcome.GOOD:
                verdict = hooks.run(self, release, hooks.AFTER, progress) or verdict
        except CommandFailed as problem:
            raise StateUnknown(
                f"the manifest was applied in part: {problem.sentence}", detail=problem.detail,
                hint="run the same command again; it continues",
            ) from None  # fmt: skip
        if verdict.outcome is Outcome.BAD:
            self._give_up(release, releases, verdict, progress, new=new)
        self._record(release, records.GOOD)
        good = records.last_good(releases)
        gone = self._pruned([good.manifest] if good else [], release.manifest)
        records.prune(self.cluster, self.runner, releases, self.environment.keep_releases)
        return f"release {release.number}: {verdict.sentence}, verified at {self.url}{gone}"

    def _admitted(self, manifest: Manifest, progress: Progress) -> str:
        """Let the server refuse the manifest before anything changes; return the fields that others have set, and who they are."""
        progress("asking the API server to check the manifest")
        taken, things = "", manifest.objects()
        try:
            try:
                apply(self.cluster, self.runner, things, dry_run=True, force=False)
            except CommandFailed as problem:
                owners = ", ".join(sorted(set(CONFLICT.findall(problem.detail))))
                if not owners:
                    raise
                fields = ", ".join(sorted(set(FIELD.findall(problem.detail))))
                taken = f"{fields or 'fields'} from {owners}"
                progress(f"taking back {taken}")
                apply(self.cluster, self.runner, things, dry_run=True)
        except CommandFailed as problem:
            raise BadInput(
                "the API server refuses the manifest; nothing was changed", detail=problem.detail,
                hint="the lines above name object and field",
            ) from None  # fmt: skip
        return taken

    def _give_up(
        self, release: Release, releases: list[Release], verdict: Verdict, progress: Progress, *, new: bool
    ) -> None:
        progress("saving logs and events before anything is undone")
        folder = self.evidence / f"release-{release.number}"
        lines = evidence.save(self.cluster, self.runner, verdict.pods, folder)
        if ARCHITECTURE in lines:
            sentence = f"{verdict.sentence}: {lines.splitlines()[-1]}, so the image is for another processor"
            verdict = replace(verdict, sentence=sentence)
        good = records.last_good(releases)
        if good is None:
            self._record(release, records.FAILED, verdict.sentence)
            raise StateUnknown(
                f"the first release failed: {verdict.sentence}", detail=lines,
                hint=f"there is no release to return to; logs and events are in {folder}",
            )  # fmt: skip
        if new and hooks.irreversible(release.manifest):
            self._record(release, records.FAILED, verdict.sentence)
            raise StateUnknown(
                f"the release failed after an irreversible migration, so nothing was undone: {verdict.sentence}", detail=lines,
                hint=f"deploy a mended revision; or, if release {good.number} can live with what the migration did: "
                f"`invoke rollback --to {good.number} --past-migrations`",
            )  # fmt: skip
        try:
            progress(f"going back to release {good.number}")
            returned = trial.settle(self, good, progress, new=False)
            if returned.outcome is not Outcome.GOOD:
                raise StepFailed(f"release {good.number} does not come up again: {returned.sentence}")
            self._pruned([release.manifest], good.manifest)
        except (LeaseLost, Interrupted):
            raise
        except Failure as problem:
            self._record(release, records.FAILED, verdict.sentence)
            raise StateUnknown(
                f"the release failed ({verdict.sentence}) and so did the rollback ({problem.sentence})", detail=lines,
                hint=f"`invoke status` tells what serves; logs and events are in {folder}",
            ) from None  # fmt: skip
        self._record(release, records.ROLLED_BACK, verdict.sentence)
        raise RolledBack(
            f"{verdict.sentence}; release {good.number} ({good.revision}) serves again, verified", detail=lines,
            hint=f"logs and events are in {folder}",
        )  # fmt: skip

    def _pruned(self, old: list[str], now: str) -> str:
        gone = pruning.prune(self.cluster, self.runner, old=old, now=now)
        return f"; {', '.join(gone)} left the manifest and was deleted" if gone else ""

    def _record(self, release: Release, verdict: str, cause: str = "") -> None:
        records.write(self.cluster, self.runner, release.ended(verdict, _now(), cause))

    def _intent(self, releases: list[Release], revision: str, digest: str, manifest: str) -> Release:
        number = releases[0].number + 1 if releases else 1
        return Release(
            number=number, revision=revision, digest=digest, actor=self.actor, started=_now(), finished="",
            verdict=records.INTENT, cause="", manifest=manifest, job=self.job,
        )  # fmt: skip


def passed(releases: list[Release], to: Release) -> Release | None:
    """Return the newest release after TO that declared an irreversible migration: what TO would have to live with."""
    return next(
        (one for one in releases if one.number > to.number and hooks.irreversible(one.manifest)), None
    )


def checked(releases: list[Release], to: int, *, past_migrations: bool, environment: str) -> Release:
    """Return the good release numbered TO, for 0 the one before what runs. Raises Precondition where it may not be returned to."""
    good = [release for release in releases if release.verdict == records.GOOD]
    found = [release for release in good if release.number == to] if to else good[1:]
    if not found:
        raise Precondition(
            "there is no such good release to return to", hint=f"`invoke history -e {environment}` lists them"
        )
    chosen = found[0]
    if (past := passed(releases, chosen)) and not past_migrations:
        raise Precondition(
            f"release {past.number} ran an irreversible migration, which release {chosen.number} does not know",
            hint="`--past-migrations` says that it can live with that; nothing was changed",
        )
    return chosen


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
