"""Releases are recorded where they happen: one ConfigMap each, in the application's namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.rollout.api import Api
from longshore.rollout.apply import apply
from longshore.runner import Runner

LABEL = "longshore.dev/record"
KIND = "release"
STATE = "longshore.dev/verdict"  # a label: whether a run has left its release unfinished is one question
INTENT, GOOD, FAILED, ROLLED_BACK = "started", "good", "failed", "rolled back"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One recorded deployment.

    Times are UTC in ISO 8601; `verdict` is one of started, good, failed, rolled back; `job` is a URL or empty.
    """

    number: int
    revision: str
    digest: str
    actor: str
    started: str
    finished: str
    verdict: str
    cause: str
    manifest: str
    job: str = ""

    def ended(self, verdict: str, finished: str, cause: str = "") -> Release:
        """Return this release with its end."""
        return replace(self, verdict=verdict, finished=finished, cause=cause)


def history(cluster: Cluster, runner: Runner) -> list[Release]:
    """Return the recorded releases, the newest first."""
    found = Api(cluster, runner).items(
        f"/api/v1/namespaces/{cluster.namespace}/configmaps", f"{LABEL}={KIND}"
    )
    releases = [_read(thing["data"]) for thing in found]
    return sorted(releases, key=lambda release: release.number, reverse=True)


def unfinished(namespace: str) -> str:
    """Return the path of the list of at most one release that was begun and has no verdict."""
    return (
        f"/api/v1/namespaces/{namespace}/configmaps?limit=1&labelSelector={LABEL}%3D{KIND},{STATE}%3D{INTENT}"
    )


def last_good(releases: list[Release]) -> Release | None:
    """Return the newest release that ended well."""
    return next((release for release in releases if release.verdict == GOOD), None)


def write(cluster: Cluster, runner: Runner, release: Release) -> None:
    """Record RELEASE, replacing what was recorded under its number."""
    thing = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name(release.number),
            "namespace": cluster.namespace,
            "labels": {LABEL: KIND, STATE: release.verdict.replace(" ", "-")},
        },
        "data": {key: str(value) for key, value in asdict(release).items()},
    }
    apply(cluster, runner, [thing])


def abandon(cluster: Cluster, runner: Runner, releases: list[Release], now: str) -> list[Release]:
    """Record that releases which are still `started` have failed: whoever holds the lease knows that their runs are over."""
    found = []
    for release in releases:
        if release.verdict != INTENT:
            found.append(release)
            continue
        found.append(release.ended(FAILED, now, "its run ended before there was a verdict"))
        write(cluster, runner, found[-1])
    return found


def prune(cluster: Cluster, runner: Runner, releases: list[Release], keep: int) -> None:
    """Delete the oldest records beyond KEEP, but never the last good one."""
    good = last_good(releases)
    old = [release for release in releases[keep:] if good is None or release.number != good.number]
    if old:
        runner.run(
            kubectl.delete_objects(cluster, tuple(f"configmap/{name(release.number)}" for release in old))
        )


def name(number: int) -> str:
    """Return the name of the record of release NUMBER."""
    return f"longshore-release-{number:06d}"


def _read(data: Mapping[str, Any]) -> Release:
    return Release(**{**data, "number": int(data["number"])})
