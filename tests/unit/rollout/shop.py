"""What is released in a test, and what the cluster has of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from longshore.errors import CommandFailed
from longshore.rollout import records
from longshore.rollout.attempt import ReleaseResult
from longshore.rollout.manifest import Manifest
from longshore.rollout.release import run
from longshore.rollout.secrets import Secrets
from longshore.rollout.shape import Target
from longshore.rollout.site import Site
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import Thing, app, item

GATEWAY = item("Gateway", "app", "gateway.networking.k8s.io/v1")  # of a kind that kubectl alone knows


class Shop:
    """A site and what is released to it."""

    def __init__(self, kubernetes: Kubernetes, kubectl: Kubectl, folder: Path) -> None:
        self.kubernetes, self.kubectl, self.folder = kubernetes, kubectl, folder
        self.site: Site = site_of(kubernetes, kubectl, folder)
        self.steps: list[str] = []

    def release(self, revision: str, *more: Thing, mounted: Secrets | None = None, **hooks: Any) -> ReleaseResult:
        manifest = Manifest(rolled_out=(app(revision), *more), mark=revision, **hooks)
        target = Target(
            repository="registry/app",
            digest=f"sha256:{revision}",
            revision=revision,
            namespace="shop",
            node_port=30080,
            overlay="local",
        )
        return run(self.site, manifest, target, mounted or Secrets(), lambda text, *_: self.steps.append(text))

    def records(self) -> list[tuple[int, str, str]]:
        found = records.history(self.site.cluster, self.kubectl)
        return [(release.number, release.revision, release.verdict) for release in found]

    @property
    def revision(self) -> str:
        """What the cluster is told to run."""
        return str(self.kubernetes.get("Deployment")["metadata"]["annotations"]["longshore.dev/manifest"])

    def refuse_records(self, verdict: str) -> None:
        def refuse(thing: Thing) -> None:
            if thing.get("data", {}).get("verdict") == verdict:
                raise CommandFailed("kubectl", 1, tail="connection refused")  # which ends the connection, too

        self.kubernetes.on_apply = refuse
