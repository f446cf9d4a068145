"""A layout for tests that start nothing."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from msgspec.structs import replace

from localcloud.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout whose folders are in the test's own."""
    return Layout(
        id="shop-local-3f9a2c",
        project="shop",
        environment="local",
        region="eu-central-1",
        state=tmp_path / "state" / "shop-local-3f9a2c",
        run=tmp_path / "run" / "shop-local-3f9a2c",
        cache=tmp_path / "cache",
        kube=tmp_path / "cache" / "kubernetes" / "f00" / "kube",
        aws_port=4566,
        link=IPv4Network("198.19.0.4/30"),
        pods=IPv4Network("10.88.0.0/16"),
        services=IPv4Network("10.89.0.0/16"),
    )


@pytest.fixture
def second(layout: Layout) -> Layout:
    """The second node of such an environment with two."""
    return replace(layout, second=IPv4Network("198.19.0.8/30"), number=2)
