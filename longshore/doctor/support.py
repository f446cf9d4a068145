"""How long AWS supports a version of Kubernetes without extra cost."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from longshore import aws
from longshore.doctor.finding import Finding, Place
from longshore.errors import Precondition
from longshore.infra.support import NOTICE, SUPPORT


def check(place: Place) -> Iterator[Finding]:
    """Yield until when the version of the settings is supported."""
    version = str(place.variables.get("kubernetes_version", ""))
    ends = _asked(place, version) or (SUPPORT.get(version) or (None, None))[0]
    yield judged(version, ends, datetime.datetime.now(datetime.UTC).date())


def judged(version: str, ends: datetime.date | None, today: datetime.date) -> Finding:
    """Return the finding on VERSION, whose standard support ENDS then."""
    if ends is None:
        return Finding(None, f"support of Kubernetes {version}", "neither AWS nor Longshore's table says when it ends")
    left = (ends - today).days
    what = f"Kubernetes {version}: standard support until {ends.isoformat()}"
    soon = f", in {left} days: plan the upgrade" if 0 < left <= NOTICE else ""
    return Finding(left > 0, what + soon, "set a newer `kubernetes_version`: AWS upgrades the cluster by itself")


def _asked(place: Place, version: str) -> datetime.date | None:
    try:
        with aws.errors("EKS"):
            eks = aws.client(place.environment, "eks")
            versions: list[dict[str, Any]] = eks.describe_cluster_versions(clusterVersions=[version])["clusterVersions"]
    except Precondition:
        return None
    ends = next((each.get("endOfStandardSupportDate") for each in versions), None)
    return ends.date() if isinstance(ends, datetime.datetime) else None
