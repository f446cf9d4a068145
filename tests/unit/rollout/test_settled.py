"""A release has nothing to do only where cluster and public address both say so; any doubt means that it has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.errors import Interrupted
from longshore.rollout import records, settled
from longshore.rollout.manifest import Manifest
from longshore.rollout.shape import MANIFEST as MARK
from longshore.rollout.shape import Target
from longshore.rollout.site import Site
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import Thing, app, hook, item, job, recorded, worker

MANIFEST = Manifest(before=(hook(),), rolled_out=(app("one"), item("Service", "app")), mark="one")
TARGET = Target(
    repository="registry/app", digest="sha256:one", revision="one", namespace="shop", node_port=1, overlay="local"
)


@pytest.fixture
def site(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(settled, "PATIENCE", 0.5)
    for thing in MANIFEST.rolled_out:
        kubernetes.apply(thing)
    yield site_of(kubernetes, kubectl, tmp_path)
    # Its last request may still be on its way. Python leaves a socket open that its server resets before TLS begins.
    for thread in threading.enumerate():
        if thread.name == settled.ASKS:
            thread.join()


def ask(site: Site, manifest: Manifest = MANIFEST) -> str | None:
    return settled.settled(site, manifest, TARGET)


def test_what_serves_already_is_said_without_changing_anything(site: Site, kubernetes: Kubernetes) -> None:
    assert ask(site) == "already serving, 2 of 2 replicas ready"
    assert kubernetes.asked == []


def scaled(kubernetes: Kubernetes, replicas: int) -> None:
    kubernetes.get("Deployment")["spec"]["replicas"] = replicas


DOUBTS: dict[str, Callable[[Kubernetes], object]] = {
    "an object is missing": lambda kubernetes: kubernetes.drop("Service", "app"),
    "a pod is not ready": lambda kubernetes: not_ready(kubernetes.get("Pod", "app-one-0")),
    "a pod is gone": lambda kubernetes: kubernetes.drop("Pod", "app-one-0"),
    "it was scaled by hand": lambda kubernetes: scaled(kubernetes, 1),
    "the address serves something else": lambda kubernetes: kubernetes.unserved.add("one"),
    "another revision was applied": lambda kubernetes: kubernetes.apply(app("two")),
    "another manifest was applied": lambda kubernetes: marked(kubernetes.get("Deployment")),
}


def marked(deployment: Thing) -> None:
    deployment["metadata"]["annotations"][MARK] = "another"


def not_ready(pod: Thing) -> None:
    pod["status"]["conditions"][0]["status"] = "False"


@pytest.mark.parametrize("spoil", DOUBTS.values(), ids=DOUBTS)
def test_any_doubt_is_a_reason_to_release(site: Site, kubernetes: Kubernetes, spoil: Callable[..., object]) -> None:
    spoil(kubernetes)
    assert ask(site) is None


def test_a_release_that_a_run_left_unfinished_is_a_reason(site: Site, kubectl: Kubectl) -> None:
    records.write(site.cluster, kubectl, recorded(1))
    assert ask(site)
    records.write(site.cluster, kubectl, recorded(2, verdict=records.INTENT))
    assert ask(site) is None


def test_a_cluster_that_does_not_answer_is_a_reason(site: Site, kubernetes: Kubernetes) -> None:
    config = site.cluster.kubeconfig
    config.write_text(config.read_text().replace(str(kubernetes.http.server_port), "1"))
    assert ask(site) is None


def test_an_autoscaler_owns_the_number_where_the_manifest_leaves_it(site: Site, kubernetes: Kubernetes) -> None:
    left = app("one")
    del left["spec"]["replicas"]
    manifest = Manifest(rolled_out=(left,), mark="one")
    assert ask(site, manifest) == "already serving, 2 of 2 replicas ready"
    scaled(kubernetes, 0)
    assert ask(site, manifest) is None


SHAPES = {
    "a second Deployment": [worker("one")],
    "one that is scaled to nothing": [worker("one", replicas=0)],
    "a StatefulSet": [worker("one", "db", "StatefulSet")],
    "a Job": [job("one")],
    "a CronJob": [item("CronJob", "nightly", "batch/v1", spec={"schedule": "@daily"})],
}


@pytest.mark.parametrize("more", SHAPES.values(), ids=SHAPES)
def test_an_unchanged_manifest_of_any_shape_has_nothing_to_do(
    site: Site, kubernetes: Kubernetes, more: list[Thing]
) -> None:
    for thing in more:
        kubernetes.apply(thing)
    assert ask(site, Manifest(rolled_out=(*MANIFEST.rolled_out, *more), mark="one"))


def test_a_job_that_its_time_to_live_has_deleted_is_done(site: Site) -> None:
    assert ask(site, Manifest(rolled_out=(app("one"), job("one", ttlSecondsAfterFinished=60)), mark="one"))
    assert not ask(site, Manifest(rolled_out=(app("one"), job("one")), mark="one"))


def test_whoever_scales_a_worker_owns_the_number(site: Site, kubernetes: Kubernetes) -> None:
    left = worker("one")
    del left["spec"]["replicas"]
    kubernetes.apply(worker("one", replicas=0))
    assert ask(site, Manifest(rolled_out=(app("one"), left), mark="one")), "an autoscaler may scale it to nothing"
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "worker"}}
    scaler = item("ScaledObject", "worker", "keda.sh/v1alpha1", spec=target)
    kubernetes.put(dict(scaler))
    assert ask(site, Manifest(rolled_out=(app("one"), worker("one", replicas=3), scaler), mark="one"))
    assert not ask(site, Manifest(rolled_out=(app("one"), worker("one", replicas=3)), mark="one"))


def test_kinds_that_only_kubectl_knows_are_asked_of_it(site: Site, kubernetes: Kubernetes, kubectl: Kubectl) -> None:
    gateway = item("Gateway", "app", "gateway.networking.k8s.io/v1")
    manifest = Manifest(rolled_out=(*MANIFEST.rolled_out, gateway), mark="one")
    assert ask(site, manifest) is None
    kubernetes.put(dict(gateway))
    assert ask(site, manifest) == "already serving, 2 of 2 replicas ready"
    assert kubectl.verbs() == ["get", "get"]


def test_cluster_and_address_are_asked_at_the_same_time(
    site: Site, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "PATIENCE", 30.0)
    address, late = threading.Event(), list[str]()

    def on_ask(path: str) -> None:
        if path == "/version":
            address.set()
        elif not address.wait(8):
            late.append(path)

    kubernetes.on_ask = on_ask
    assert ask(site)
    assert not late, "the cluster was asked before the address"


def test_right_answers_that_come_slowly_are_waited_for(site: Site, kubernetes: Kubernetes) -> None:
    """On a busy machine six answers take longer than an address that serves nothing yet is waited for."""
    kubernetes.on_ask = lambda path: time.sleep(0.2) if path == "/version" else None
    assert ask(site)


def test_nobody_waits_for_an_address_once_the_cluster_says_no(
    site: Site, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "PATIENCE", 30.0)
    kubernetes.unserved = {"one"}
    kubernetes.drop("Service", "app")
    began = time.monotonic()
    assert ask(site) is None
    assert time.monotonic() - began < 5
    while any("_ask_address" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() - began < 10, "and nobody goes on asking"
        time.sleep(0.01)


def test_a_signal_ends_the_wait(site: Site, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "PATIENCE", 30.0)
    kubernetes.unserved = {"one"}
    timer = threading.Timer(0.3, lambda: site.runner.cancellation._note(15, None))
    timer.start()
    with pytest.raises(Interrupted):
        ask(site)
    timer.join()


@pytest.mark.parametrize("target", ["x", None, {"kind": "Deployment"}, {"name": {}}])
def test_an_autoscaler_of_nothing_scales_nothing(target: object) -> None:
    autoscaler = item("HorizontalPodAutoscaler", "x", "autoscaling/v2", spec={"scaleTargetRef": target})
    assert not settled._as_wanted(Manifest(rolled_out=(autoscaler,)), [])
