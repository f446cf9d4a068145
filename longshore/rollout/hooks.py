"""Jobs around a rollout: those annotated `longshore.dev/hook: before` (a migration) run ahead of it, `after` once it is good.

Each release runs them under names of its own, since a Job cannot be changed. Their logs stay in the report.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from longshore.commands import kubectl
from longshore.rollout.api import Api
from longshore.rollout.apply import apply
from longshore.rollout.render import Manifest
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.rollout.watch import Watcher
from longshore.steps.graph import Progress

if TYPE_CHECKING:
    from longshore.rollout.records import Release
    from longshore.rollout.release import Releaser

BEFORE, AFTER = "before", "after"
HOOK = re.compile(r"^ +longshore\.dev/hook: (before|after)$", re.MULTILINE)
IRREVERSIBLE = 'longshore.dev/irreversible: "true"'
NAME = "longshore.dev/hook-name"  # a label: the hook that a Job is a run of
LABEL = "app.kubernetes.io/name"
KEPT = 86400  # seconds for which the cluster keeps a hook's Job


def split(text: str) -> dict[str, str]:
    """Return the manifest TEXT in three: under `before` and `after` the hooks, under an empty name what is rolled out."""
    parts: dict[str, list[str]] = {BEFORE: [], "": [], AFTER: []}
    for document in text.split("\n---\n"):
        found = HOOK.search(document)
        parts[found[1] if found else ""].append(document)
    return {when: "\n---\n".join(documents) for when, documents in parts.items()}


def irreversible(manifest: str) -> bool:
    """Return whether a release of MANIFEST does what no older release can live with."""
    return any(IRREVERSIBLE in document and HOOK.search(document) for document in manifest.split("\n---\n"))


def run(place: Releaser, release: Release, when: str, progress: Progress) -> Verdict | None:
    """Run RELEASE's hooks of WHEN to their end, one after the other; return the verdict on the first that fails."""
    for job in Manifest(text=split(release.manifest)[when], mark="").objects():
        _outlive(place, job["metadata"]["name"], progress)
        job["metadata"].setdefault("labels", {})[NAME] = job["metadata"]["name"]
        job["metadata"]["name"] += f"-{release.number}"
        job["spec"].setdefault("ttlSecondsAfterFinished", KEPT)
        name = job["metadata"]["name"]
        # Not the service's own label: else the Service would send requests to the pods of the Job.
        job["spec"]["template"]["metadata"].setdefault("labels", {})[LABEL] = name
        progress(f"running the hook {name}")
        apply(place.cluster, place.runner, [job])
        with Watcher(place.cluster, place.runner, workloads([job]), place.environment.patience) as watcher:
            verdict = watcher.until_verdict(place.environment.hook_deadline, progress)
        lines = place.runner.run(kubectl.job_logs(place.cluster, name), check=False).stdout
        log = _log(place.work, name)
        log.write_text(lines)
        if verdict.outcome is Outcome.BAD:
            last = next((line for line in reversed(lines.splitlines()) if line.strip()), "it printed nothing")
            place.runner.run(kubectl.delete_objects(place.cluster, (f"job/{name}",)))
            return Verdict(
                outcome=Outcome.BAD,
                sentence=f"{verdict.sentence} (last line: {last[:200]}; log: {log})",
                pods=verdict.pods,
            )
    return None


def _outlive(place: Releaser, hook: str, progress: Progress) -> None:
    """Wait for Jobs of HOOK that a killed run has left running: two migrations at once are worse than one that ends late."""
    jobs = f"/apis/batch/v1/namespaces/{place.cluster.namespace}/jobs"
    found = Api(place.cluster, place.runner).items(jobs, f"{NAME}={hook}")
    left = [job for job in found if job.get("status", {}).get("active")]
    if left:
        progress(f"waiting for {left[0]['metadata']['name']}, which an earlier run has left")
        with Watcher(place.cluster, place.runner, workloads(left), place.environment.patience) as watcher:
            watcher.until_verdict(place.environment.hook_deadline, progress)


def _log(work: Path, name: str) -> Path:
    folder = work / "report" / "hooks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"
