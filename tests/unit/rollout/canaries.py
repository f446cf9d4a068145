"""A shop whose releases have canaries."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore.rollout import records
from longshore.rollout.attempt import ReleaseResult
from longshore.rollout.canary import Worse
from longshore.rollout.manifest import Manifest
from longshore.rollout.release import run
from longshore.rollout.secrets import Secrets
from longshore.rollout.shape import Target
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import SERVICE, Thing, app, served

LABEL = "longshore.dev/canary"


class Shop:
    """Four pods of release one, beside which others are canaries."""

    def __init__(self, kubernetes: Kubernetes, kubectl: Kubectl, folder: Path) -> None:
        self.kubernetes, self.kubectl, self.folder = kubernetes, kubectl, folder
        self.steps: list[str] = []
        self.pods: list[Thing] = []  # canaries, as they were started
        self.set(bake=0)
        self.release("one")
        self.set()
        self.kubernetes.asked.clear()
        kubernetes.on_apply = lambda thing: self.pods.append(thing) if thing["kind"] == "Pod" else None

    def set(self, **settings: Any) -> None:
        chosen = {"canary": "25%", "bake": 1.0, **settings}
        self.site = site_of(self.kubernetes, self.kubectl, self.folder, settings=chosen)

    def release(self, revision: str, *more: Thing, **hooks: Any) -> ReleaseResult:
        deployment = served(revision)
        deployment["spec"]["replicas"] = 4
        deployment["metadata"]["annotations"] = app(revision)["metadata"]["annotations"]
        manifest = Manifest(rolled_out=(deployment, SERVICE, *more), mark=revision, **hooks)
        digest = f"sha256:{revision}"
        target = Target(
            repository="registry/app",
            digest=digest,
            revision=revision,
            namespace="shop",
            node_port=30080,
            overlay="local",
        )
        return run(self.site, manifest, target, Secrets(), lambda text, *_: self.steps.append(text))

    def worse(self, *more: Thing, **hooks: Any) -> Worse:
        """Return why release two was taken back, once nothing of it is left."""
        before = copy.deepcopy(self.kubernetes.get("Deployment"))
        with pytest.raises(Worse) as failed:
            self.release("two", *more, **hooks)
        assert failed.value.exit_code == 6
        assert failed.value.sentence.startswith("the canary was taken back: ")
        assert failed.value.sentence.endswith("; what was serving is unchanged")
        assert self.left() == []
        assert self.kubernetes.get("Deployment") == before
        release = records.history(self.site.cluster, self.kubectl)[0]
        assert (release.verdict, release.cause) == ("rolled back", failed.value.cause)
        return failed.value

    def left(self) -> list[str]:
        return [name for name in self.kubernetes.names("Pod") if "canary" in name]

    def while_it_serves(self, act: Callable[[], object]) -> threading.Thread:
        def wait() -> None:
            end = time.monotonic() + 10
            while not any(" of 1 s, " in step or " of 20 s, " in step for step in self.steps):
                if time.monotonic() > end:
                    return
                time.sleep(0.02)
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread
