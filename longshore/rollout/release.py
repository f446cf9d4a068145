"""A release from its manifest to its verdict: record, apply, watch, verify, and the way back."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import BadInput, CommandFailed, Failure, RolledBack, StateUnknown, StepFailed
from longshore.rollout import evidence, records, rights, trial, watch
from longshore.rollout.pods import ARCHITECTURE
from longshore.rollout.records import Release
from longshore.rollout.render import MANIFEST, Manifest, Target
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.runner import Runner
from longshore.settings import Environment
from longshore.steps.graph import Progress


@dataclass(frozen=True, kw_only=True)
class Releaser:
    """Everything that a release needs: where, what, and who."""

    cluster: Cluster
    environment: Environment
    runner: Runner
    url: str
    authority: Path | None
    actor: str
    root: Path
    work: Path

    @property
    def evidence(self) -> Path:
        """Where logs and events of failed releases are kept."""
        return self.work / "report" / "evidence"

    def settled(self, manifest: Manifest) -> str | None:
        """Return a reason when the cluster already runs MANIFEST and is well, asking the cluster itself."""
        result = self.runner.run(kubectl.get_manifest(self.cluster, manifest.text), check=False)
        if result.exit_code != 0 or not result.stdout.strip():
            return None
        items = json.loads(result.stdout).get("items", [])
        wanted = manifest.objects()
        if len(items) != len(wanted):
            return None
        marks = {
            thing["metadata"].get("annotations", {}).get(MANIFEST)
            for thing in items
            if thing["kind"] == "Deployment"
        }
        if marks != {manifest.mark} or not _replicas_kept(wanted, items):
            return None
        verdicts = watch.look(self.cluster, self.runner, workloads(wanted))
        if any(verdict.outcome is not Outcome.GOOD for verdict in verdicts):
            return None
        return f"serving already, {verdicts[0].sentence}"

    def run(self, manifest: Manifest, target: Target, progress: Progress) -> str:
        """Roll MANIFEST out and verify it.

        Raises RolledBack when it failed and the last good release serves again, StateUnknown when a person must look, BadInput when
        the API server refused the manifest and nothing was changed.
        """
        self._admitted(manifest, progress)
        releases = records.history(self.cluster, self.runner)
        release = _intent(releases, self.actor, target.revision, target.digest, manifest.text)
        return self._bring(release, releases, progress, new=True)

    def return_to(self, to: Release, progress: Progress) -> str:
        """Make the recorded release TO serve again, as a new release with a record of its own. Raises like `run`."""
        releases = records.history(self.cluster, self.runner)
        release = _intent(releases, self.actor, to.revision, to.digest, to.manifest)
        return self._bring(release, releases, progress, new=False)

    def _bring(self, release: Release, releases: list[Release], progress: Progress, *, new: bool) -> str:
        records.write(self.cluster, self.runner, release)
        progress("applying")
        try:
            verdict = self._settle(release, progress, new=new)
        except CommandFailed as problem:
            raise StateUnknown(
                f"the manifest was applied in part: {problem.sentence}",
                detail=problem.detail,
                hint="run the same command again; it continues",
            ) from None
        if verdict.outcome is Outcome.BAD:
            self._give_up(release, releases, verdict, progress)
        records.write(self.cluster, self.runner, release.ended(records.GOOD, _now()))
        records.prune(self.cluster, self.runner, releases, self.environment.keep_releases)
        return f"release {release.number}: {verdict.sentence}, verified at {self.url}"

    def _settle(self, release: Release, progress: Progress, *, new: bool) -> Verdict:
        """Apply RELEASE and follow it to its verdict; a release that the public address does not serve is a bad one."""
        self.runner.run(kubectl.apply(self.cluster, release.manifest))
        return trial.settle(self, release, progress, new=new)

    def _admitted(self, manifest: Manifest, progress: Progress) -> None:
        """Have the namespace be as wanted, then let the server refuse the manifest before anything changes."""
        progress("asking the API server to check the manifest")
        rights.ensure(self.cluster, self.runner, manifest.rights)
        try:
            self.runner.run(kubectl.apply(self.cluster, manifest.text, dry_run=True))
        except CommandFailed as problem:
            raise BadInput(
                "the API server refuses the manifest; nothing was changed",
                detail=problem.detail,
                hint="the lines above name object and field",
            ) from None

    def _give_up(
        self, release: Release, releases: list[Release], verdict: Verdict, progress: Progress
    ) -> None:
        progress("saving logs and events before anything is undone")
        folder = self.evidence / f"release-{release.number}"
        lines = evidence.save(self.cluster, self.runner, verdict.pods, folder)
        if ARCHITECTURE in lines:
            sentence = f"{verdict.sentence}: {lines.splitlines()[-1]}, so the image is for another processor"
            verdict = replace(verdict, sentence=sentence)
        good = records.last_good(releases)
        if good is None:
            records.write(self.cluster, self.runner, release.ended(records.FAILED, _now(), verdict.sentence))
            raise StateUnknown(
                f"the first release failed: {verdict.sentence}", detail=lines,
                hint=f"there is no release to return to; logs and events are in {folder}",
            )  # fmt: skip
        try:
            progress(f"going back to release {good.number}")
            returned = self._settle(good, progress, new=False)
            if returned.outcome is not Outcome.GOOD:
                raise StepFailed(f"release {good.number} does not come up again: {returned.sentence}")
        except Failure as problem:
            records.write(self.cluster, self.runner, release.ended(records.FAILED, _now(), verdict.sentence))
            raise StateUnknown(
                f"the release failed ({verdict.sentence}) and so did the rollback ({problem.sentence})", detail=lines,
                hint=f"`invoke status` tells what serves; logs and events are in {folder}",
            ) from None  # fmt: skip
        records.write(self.cluster, self.runner, release.ended(records.ROLLED_BACK, _now(), verdict.sentence))
        raise RolledBack(
            f"{verdict.sentence}; release {good.number} ({good.revision}) serves again, verified", detail=lines,
            hint=f"logs and events are in {folder}",
        )  # fmt: skip


def _intent(releases: list[Release], actor: str, revision: str, digest: str, manifest: str) -> Release:
    number = releases[0].number + 1 if releases else 1
    return Release(
        number=number, revision=revision, digest=digest, actor=actor, started=_now(), finished="", verdict=records.INTENT, cause="",
        manifest=manifest,
    )  # fmt: skip


def _replicas_kept(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> bool:
    """Return whether nobody scaled by hand; where the manifest leaves the number to an autoscaler, any above 0 is right."""
    have = {
        thing["metadata"]["name"]: thing["spec"].get("replicas", 1)
        for thing in found
        if thing["kind"] == "Deployment"
    }
    for thing in wanted:
        if thing["kind"] == "Deployment":
            replicas = thing["spec"].get("replicas")
            actual = have.get(thing["metadata"]["name"], 0)
            if actual == 0 or (replicas is not None and actual != replicas):
                return False
    return True


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
