"""One recorded release on its way to its verdict: hooks, rollout, record, and the way back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import msgspec
from msgspec import Struct

from longshore.errors import DiskFull, Failure, Interrupted, RolledBack, StateUnknown, StepFailed
from longshore.graph.steps import Progress
from longshore.kubernetes.api import UNANSWERED
from longshore.kubernetes.apply import apply
from longshore.rollout import barepods, canary, evidence, hooks, prove, pruning, records, served, trial, verify
from longshore.rollout.lease import LeaseLost
from longshore.rollout.manifest import Manifest, Object
from longshore.rollout.needs import key, needed
from longshore.rollout.pods import ARCHITECTURE, draining, short
from longshore.rollout.records import Release
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome, Verdict


class ReleaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A good release, verified at `url`. `deleted` are `kind/name`, `reclaimed` names fields that others had set.

    `warnings` say what went wrong once it was recorded: nothing that serves. `draining` pods are still ending.
    `canary` says how that went, if there was one.
    """

    number: int
    revision: str
    digest: str
    url: str
    sentence: str
    deleted: tuple[str, ...] = ()
    reclaimed: str = ""
    warnings: tuple[str, ...] = ()
    draining: int = 0
    canary: str = ""

    @property
    def note(self) -> str:
        deleted = f"; deleted {', '.join(self.deleted)}, which left the manifest" if self.deleted else ""
        reclaimed = f"; took back {self.reclaimed}" if self.reclaimed else ""
        warnings = "".join(f"; warning: {warning}" for warning in self.warnings)
        drains = f"; {draining(self.draining)}" if self.draining else ""
        drains += f"; {self.canary}" if self.canary else ""
        said = f"release {self.number}: {self.sentence}, verified at {self.url}"
        return f"{said}{drains}{deleted}{reclaimed}{warnings}"


@contextlib.contextmanager
def tolerated() -> Iterator[list[str]]:
    """Clean up after what is done and recorded: a failure becomes a warning in the list, a signal still counts."""
    warnings: list[str] = []
    try:
        yield warnings
    except Interrupted:
        raise
    except (Failure, *UNANSWERED) as problem:
        cause = getattr(problem, "detail", "") or getattr(problem, "sentence", "") or str(problem)
        warnings.append(f"not all could be cleaned up: {short(cause)}")


def left_out(gone: list[Object]) -> list[str]:
    """Return a warning about the objects that are GONE with their kinds."""
    names = ", ".join(f"{item['kind']} {item['metadata']['name']}" for item in gone)
    return [f"left out {names}: the cluster no longer has this kind"] if gone else []


class Attempt(Struct, frozen=True):
    """A recorded release on its way to its verdict. One that is not NEW returns to what an earlier one rolled out."""

    site: Site
    release: Release
    earlier: list[Release]
    progress: Progress
    new: bool

    @property
    def good(self) -> Release | None:
        return records.last_good(self.earlier)  # what to return to

    def run(self) -> ReleaseResult:
        """Bring the release up, record its verdict, and roll back a bad one."""
        site, release, manifest = self.site, self.release, self.release.content
        if self.new:
            self._prepare(manifest)
        tried = self._prove(self.good) if self.new and self.good else ""  # the first one replaces nothing
        self.progress("applying")
        try:
            verdict = trial.settle(site, release, self.progress, new=self.new, replaced=self.good)
            if self.new and verdict.outcome is Outcome.GOOD:
                verdict = hooks.run(site, manifest.after, release.number, self.progress) or verdict
        except (StateUnknown, Interrupted):
            raise
        except (Failure, OSError) as problem:
            partial, hint = "the manifest may be applied only in part", "run the same command again; it continues"
            detail = getattr(problem, "detail", "")
            raise StateUnknown(f"{partial}: {problem}", detail=detail, hint=hint) from None
        if verdict.outcome is Outcome.BAD:
            self._give_up(verdict)
        try:
            self._record(records.GOOD)
        except (StateUnknown, Interrupted):
            raise
        except Failure as problem:
            sentence = f"release {release.number} serves and was verified, but could not be recorded"
            hint = "run the same command again"
            raise StateUnknown(f"{sentence}: {problem.sentence}", detail=problem.detail, hint=hint) from None
        deleted: tuple[str, ...] = ()
        with tolerated() as unpruned:
            earlier = [self.good.content] if self.good and self.good.readable else []
            deleted = pruning.prune(site, old=earlier, now=manifest)
        with tolerated() as kept:
            records.prune(site.cluster, site.runner, self.earlier, site.environment.keep_releases)
        return ReleaseResult(
            number=release.number,
            revision=release.revision,
            digest=release.digest,
            url=site.url,
            sentence=verdict.sentence,
            deleted=deleted,
            draining=verdict.draining,
            canary=tried,
            warnings=(*unpruned, *kept),
        )

    def _prepare(self, manifest: Manifest) -> None:
        """Run the hooks before the rollout, with what they need; put that back when one fails."""
        site, needs = self.site, needed(manifest.before, manifest.rolled_out)
        try:
            if needs:
                apply(site.cluster, site.runner, needs, first=self.release.number == 1)
            failed = hooks.run(site, manifest.before, self.release.number, self.progress)
        except (StateUnknown, Interrupted):
            raise
        except Failure as problem:
            failed = Verdict(Outcome.BAD, short(problem.detail or problem.sentence))
        if not failed:
            return
        self._fail(self._hook_failed(failed, needs), failed.sentence)

    def _hook_failed(self, failed: Verdict, needs: list[Object]) -> Failure:
        """Put NEEDS back; return what the FAILED hook comes to."""
        try:
            self._put_back(needs)
        except (StateUnknown, Interrupted):
            raise
        except Failure as problem:
            sentence = f"a hook failed ({failed.sentence}), and what it needs could not be put back: {problem.sentence}"
            hint = "pods that start from now on may read what this release brought; deploy a fixed revision"
            return StateUnknown(sentence, detail=problem.detail, hint=hint)
        if self.release.content.irreversible:
            return StateUnknown(
                f"an irreversible hook failed: {failed.sentence}",
                hint="the previous release is still running but may not work with what the hook changed; "
                "inspect it first",
            )
        return StepFailed(
            f"a hook before the rollout failed: {failed.sentence}",
            hint="the previous release is still running; the next release runs the hook again",
        )

    def _put_back(self, needs: list[Object]) -> None:
        """Have NEEDS as the last good release had them; what it had not goes. The first release leaves them."""
        if not needs or not self.good:
            return
        good, names = self.good.content, {key(item) for item in needs}
        earlier = [item for item in good.rolled_out if key(item) in names and item not in needs]
        if earlier:
            apply(self.site.cluster, self.site.runner, earlier)
        pruning.prune(self.site, old=[Manifest(rolled_out=tuple(needs))], now=good)

    def _prove(self, good: Release) -> str:
        """Have the release prove itself, then be a canary, while GOOD serves; return how the canary went.

        Raises TakenBack if GOOD still serves, or StateUnknown.
        """
        try:
            prove.run(self.site, self.release, self.progress)
            return canary.run(self.site, self.release, self.progress)
        except canary.Left as problem:
            self._fail(problem, problem.sentence)
        except barepods.TakenBack as problem:
            self._taken_back(good, problem)

    def _taken_back(self, good: Release, unproved: barepods.TakenBack) -> NoReturn:
        """Raise what became of a release that is UNPROVED, while GOOD serves."""
        manifest = self.release.content
        with tolerated() as warnings:  # what was created for it alone goes
            pruning.prune(self.site, old=[manifest], now=good.content)
        unproved.hint = "; ".join((unproved.hint, *warnings))
        failure: Failure = unproved
        if manifest.irreversible:
            sentence = f"{unproved.what} after an irreversible migration: {unproved.cause}"
            hint = "the previous release is still running but may not work with what the migration did"
            failure = StateUnknown(sentence, detail=unproved.detail, hint=f"{hint}; {unproved.hint}")
        elif unserved := self._unserved(good):
            failure = StateUnknown(f"{unproved.sentence}, but {unserved}", detail=unproved.detail, hint=unproved.hint)
        self._fail(failure, unproved.cause)

    def _unserved(self, good: Release) -> str:
        """Return why the public address does not answer with GOOD, an empty text where it does."""
        pause, deadline = self.site.runner.cancellation.wait, self.site.environment.verify_deadline
        try:
            verify.until_answers(
                self.site, good, deadline=deadline, pause=pause, say=self.progress, asked=good.content.asked
            )
        except (verify.Unverified, verify.Unasked) as problem:
            return problem.sentence
        return ""

    def _give_up(self, verdict: Verdict) -> NoReturn:
        """Save evidence, return to the last good release where that is possible, and raise what became of it."""
        self.progress("saving logs and events")
        site, folder = self.site, self.site.report / "evidence" / f"release-{self.release.number}"
        log = ""
        with contextlib.suppress(OSError, DiskFull):
            log = evidence.save(site.cluster, site.runner, verdict.pods, folder)
        cause = verdict.sentence
        if ARCHITECTURE in log:
            cause += f": {log.splitlines()[-1]}, so the image is for another processor"
        failure = self._roll_back(cause, f"logs and events are in {folder}")
        failure.detail = log
        self._fail(failure, cause)

    def _fail(self, failure: Failure, cause: str) -> NoReturn:
        """Record what FAILURE came to, and raise it even where that is impossible."""
        try:
            self._record(records.ROLLED_BACK if isinstance(failure, RolledBack) else records.FAILED, cause)
        except (LeaseLost, Interrupted):
            raise
        except Failure as problem:
            failure.hint += f"; that could not be recorded: {short(problem.detail or problem.sentence)}"
        raise failure

    def _roll_back(self, cause: str, saved: str) -> Failure:
        """Return to the last good release where that is possible; return what this release's failure came to."""
        good = self.good
        if good is None:
            hint = f"there is no release to return to; {saved}"
            return StateUnknown(f"the first release failed: {cause}", hint=hint)
        if self.new and self.release.content.irreversible:
            return StateUnknown(
                f"the release failed after an irreversible migration, so nothing was undone: {cause}",
                hint=f"deploy a fixed revision; or, if release {good.number} works with what the migration did: "
                f"`invoke rollback --to {good.number} --past-migrations`",
            )
        self.progress(f"rolling back to release {good.number}")
        try:
            verdict = trial.settle(self.site, good, self.progress, new=False)
            if verdict.outcome is not Outcome.GOOD:
                raise StepFailed(f"release {good.number} does not come up again: {verdict.sentence}")
        except (LeaseLost, Interrupted):
            raise
        except (Failure, OSError) as problem:
            sentence = f"the release failed ({cause}) and so did the rollback ({problem})"
            return StateUnknown(sentence, hint=f"`invoke status` shows what is running; {saved}")
        with tolerated() as warnings:
            pruning.prune(self.site, old=[self.release.content], now=good.content)
        hint = "; ".join((saved, *left_out(served.split(self.site, good.content.lasting)[1]), *warnings))
        return RolledBack(f"{cause}; rolled back to release {good.number} ({good.revision}), verified", hint=hint)

    def _record(self, verdict: str, cause: str = "") -> None:
        records.write(self.site.cluster, self.site.runner, self.release.ended(verdict, records.now(), cause))
