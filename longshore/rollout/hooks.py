"""Runs the hooks of a release: Jobs such as a migration before the rollout, others once it is good.

Each release runs them under new names, since a Job cannot be changed. Their logs stay in the report.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from msgspec.structs import replace

from longshore.commands import kubectl
from longshore.errors import CommandFailed
from longshore.files import write_atomically
from longshore.graph.steps import Progress
from longshore.kubernetes.api import Api
from longshore.kubernetes.apply import apply
from longshore.kubernetes.paths import collection
from longshore.rollout import watch
from longshore.rollout.manifest import Object
from longshore.rollout.pods import short
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome, Verdict, workloads
from longshore.rollout.watch import Watcher

NAME = "longshore.dev/hook-name"  # label of a Job: the hook that it is a run of
LABEL = "app.kubernetes.io/name"
TTL = 86400  # seconds for which the cluster keeps a finished Job
LEAST = 600  # below which its log might not be read in time


def run(site: Site, hooks: Iterable[Object], number: int, progress: Progress) -> Verdict | None:
    """Run HOOKS of release NUMBER one after the other; return the verdict on the first that fails, else None."""
    for hook in hooks:
        _wait_for_earlier(site, hook["metadata"]["name"], progress)
        job = made(hook, number)
        name = job["metadata"]["name"]
        progress(f"running the hook {name}")
        since = watch.moment(site.cluster, site.runner)
        try:
            apply(site.cluster, site.runner, [job])
        except CommandFailed as problem:
            return Verdict(Outcome.BAD, f"the hook {name} was not started: {short(problem.detail or problem.sentence)}")
        verdict = _follow(site, [job], progress, since)
        lines = site.runner.run(kubectl.job_logs(site.cluster, name), check=False).stdout
        log = site.report / "hooks" / f"{name}.log"
        write_atomically(log, lines, 0o600)
        if verdict.outcome is Outcome.BAD:
            last = next((line for line in reversed(lines.splitlines()) if line.strip()), "")
            site.runner.run(kubectl.delete_objects(site.cluster, (f"job/{name}",)))
            shown = f" (last line: {last[:200]}; log: {log})" if last else ""
            return replace(verdict, sentence=f"{verdict.sentence}{shown}")
    return None


def made(hook: Object, number: int) -> Object:
    """Return the Job that runs HOOK in release NUMBER."""
    job = copy.deepcopy(hook)
    metadata, spec = job["metadata"], job["spec"]
    metadata.setdefault("labels", {})[NAME] = metadata["name"]
    metadata["name"] += f"-{number}"
    spec["ttlSecondsAfterFinished"] = max(spec.get("ttlSecondsAfterFinished", TTL), LEAST)
    # Not the application's own label: else its Service would send requests to the Job's pods.
    spec["template"].setdefault("metadata", {}).setdefault("labels", {})[LABEL] = metadata["name"]
    return job


def _wait_for_earlier(site: Site, hook: str, progress: Progress) -> None:
    """Wait for Jobs of HOOK that a killed run left behind: two migrations at once are worse than a late one."""
    jobs = collection("Job", site.cluster.namespace)
    earlier = Api(site.cluster, site.runner).items(jobs, f"{NAME}={hook}")
    active = [job for job in earlier if job.get("status", {}).get("active")]
    if active:
        progress(f"waiting for {active[0]['metadata']['name']}, started by an earlier run")
        _follow(site, active, progress)


def _follow(site: Site, jobs: list[Object], progress: Progress, since: str = "") -> Verdict:
    judged = [replace(workload, expires=False) for workload in workloads(jobs)]  # one that is gone told no result
    with Watcher(site.cluster, site.runner, judged, site.environment.patience, since) as watcher:
        return watcher.until_verdict(site.environment.hook_deadline, progress)
