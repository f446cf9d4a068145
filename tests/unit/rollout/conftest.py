"""Servers over real TLS: a site whose answers a test decides, and an API server; what is released to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.rollout import canary, meter
from tests.unit.api_server import Site, serving
from tests.unit.rollout.application import Behaviour
from tests.unit.rollout.canaries import Shop as CanaryShop
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.shop import Shop


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as site:
        yield site


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[Kubernetes]:
    kubernetes = Kubernetes(tmp_path)
    thread = threading.Thread(target=kubernetes.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield kubernetes
    kubernetes.close()
    kubernetes.http.shutdown()
    thread.join()
    kubernetes.http.server_close()


@pytest.fixture
def kubectl(kubernetes: Kubernetes) -> Kubectl:
    return Kubectl(kubernetes)


@pytest.fixture
def shop(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Shop:
    return Shop(kubernetes, kubectl, tmp_path)


@pytest.fixture
def canary_shop(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CanaryShop:
    monkeypatch.setattr(meter, "RATE", 150.0)
    monkeypatch.setattr(canary, "EVERY", 0.1)
    kubernetes.behaves = {"one": Behaviour(), "two": Behaviour()}
    return CanaryShop(kubernetes, kubectl, tmp_path)
