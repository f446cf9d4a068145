"""A site over real TLS in the API server's place, and a cluster that leads there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.commands.kubectl import Cluster
from tests.unit.api_server import Site, cluster_at, serving


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as site:
        yield site


@pytest.fixture
def cluster(site: Site) -> Cluster:
    """The site as a cluster, for which there is no kubectl: what falls to it is seen."""
    url = site.url.replace("shop.localhost", "127.0.0.1")
    return cluster_at(url, site.authority, kubectl="no-such-kubectl")
