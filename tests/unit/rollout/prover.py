"""A release that proves itself, beside what is already there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from longshore.rollout import prove
from longshore.rollout.manifest import Manifest
from longshore.rollout.prove import Unproved
from longshore.rollout.records import Release
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import SERVICE, Thing, served


class Prover:
    """Has a release of `served` prove itself, beside what is already there."""

    def __init__(self, kubernetes: Kubernetes, kubectl: Kubectl, folder: Path, seconds: float = 0.3) -> None:
        self.kubernetes, self.kubectl, self.folder = kubernetes, kubectl, folder
        self.site = site_of(kubernetes, kubectl, folder, settings={"prove": seconds})
        self.steps: list[str] = []
        self.pods: list[Thing] = []  # as they were started
        kubernetes.on_apply = lambda thing: self.pods.append(thing) if thing["kind"] == "Pod" else None

    def prove(self, *objects: Thing) -> None:
        text = Manifest(rolled_out=objects or (served("two"), SERVICE)).text
        release = Release(number=7, revision="two", digest="sha256:two", actor="somebody", started="", manifest=text)
        prove.run(self.site, release, lambda text, *_: self.steps.append(text))

    def fails(self, *objects: Thing) -> Unproved:
        """Return why it did not prove itself, once nothing of it is left."""
        with pytest.raises(Unproved) as failed:
            self.prove(*objects)
        assert failed.value.exit_code == 6
        assert failed.value.sentence.startswith("the release did not prove itself: ")
        assert failed.value.sentence.endswith("; what was serving is unchanged")
        assert self.kubernetes.names("Pod") == []
        return failed.value

    def wait_until_it_lives(self) -> None:
        end = time.monotonic() + 10
        while not any(step.startswith("proving: 0 of") for step in self.steps) and time.monotonic() < end:
            time.sleep(0.02)

    def smoke_tests(self, junit: str) -> None:
        (self.folder / "sources" / "tests" / "smoke").mkdir(parents=True)
        self.kubectl.junit = junit
