"""How a release is asked which one it is, and what the pods behind a Service say where nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.kubernetes.api import Api
from longshore.rollout import asked, verify
from longshore.rollout.asked import Asked
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import Thing, app, item, recorded

QUIET = Asked(version="", service="web")


def slice_of(*pods: str, ready: bool | None = True, name: str = "web-1") -> Thing:
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}} for pod in pods]
    made = item("EndpointSlice", name, "discovery.k8s.io/v1", endpoints=endpoints)
    made["metadata"]["labels"] = {"kubernetes.io/service-name": "web"}
    return made


@pytest.fixture
def cluster(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Api:
    kubernetes.apply(app("one"))
    site = site_of(kubernetes, kubectl, tmp_path)
    return Api(site.cluster, site.runner)


def test_a_release_says_on_its_deployment_how_it_is_asked() -> None:
    deployment = app("one")
    assert asked.of([item("Service", "app"), deployment]) == Asked()
    deployment["metadata"]["annotations"][asked.ANNOTATION] = QUIET.note
    assert asked.of([item("Service", "app"), deployment]) == QUIET
    deployment["metadata"]["annotations"][asked.ANNOTATION] = "not ours"
    assert asked.of([deployment]) == Asked()


def test_the_pods_behind_a_service_are_those_of_its_endpoints_that_are_ready(
    cluster: Api, kubernetes: Kubernetes
) -> None:
    kubernetes.put(slice_of("app-one-0"))
    kubernetes.put(slice_of("app-one-1", ready=None, name="web-2"))  # not known counts as ready
    kubernetes.put(slice_of("app-zero-0", ready=False, name="web-3"))
    assert asked.behind(cluster, "web", "sha256:one") == {"app-one-0", "app-one-1"}


def test_a_pod_of_another_image_behind_the_service_is_named(cluster: Api, kubernetes: Kubernetes) -> None:
    kubernetes.put(slice_of("app-one-0"))
    with pytest.raises(OSError, match="the Service web leads to pod app-one-0, which runs registry/app@sha256:one"):
        asked.behind(cluster, "web", "sha256:two")


def test_a_service_that_leads_nowhere_serves_nothing(cluster: Api, kubernetes: Kubernetes) -> None:
    with pytest.raises(OSError, match="the Service web leads to no pod that is ready"):
        asked.behind(cluster, "web", "sha256:one")


def test_an_address_that_does_not_tell_is_verified_by_what_is_behind_it(
    kubernetes: Kubernetes, kubectl: Kubectl, cluster: Api, tmp_path: Path
) -> None:
    site = site_of(kubernetes, kubectl, tmp_path)

    def ask(revision: str, deadline: float = 0.3) -> set[str]:
        wanted, nothing = recorded(1, revision=revision), lambda _: None
        return verify.until_answers(site, wanted, deadline=deadline, pause=nothing, say=nothing, asked=QUIET)

    kubernetes.put(slice_of("app-one-0", "app-one-1"))
    assert ask("one", deadline=30) == {"app-one-0", "app-one-1"}
    with pytest.raises(verify.Unverified, match="leads to pod app-one-0"):
        ask("two")
    kubernetes.page = 503
    with pytest.raises(verify.Unverified, match="/ answered with status 503"):
        ask("one")
