"""Where a release of these tests goes: a site whose cluster and public address are one API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from longshore.process.runner import Runner
from longshore.rollout.site import Site
from longshore.settings.model import Environment
from tests.unit.api_server import cluster_at
from tests.unit.rollout.kubernetes import Kubernetes


def site_of(kubernetes: Kubernetes, runner: Runner, folder: Path, **facts: Any) -> Site:
    """A site whose cluster and public address KUBERNETES is."""
    settings = {
        "name": "local",
        "namespace": "shop",
        "bake": 0,
        "rollout_deadline": 20.0,
        "verify_deadline": 15.0,  # a busy machine needs some of it
        "hook_deadline": 20.0,
        "lease_wait": 1.0,
        **facts.pop("settings", {}),
    }
    known: dict[str, Any] = {
        "cluster": cluster_at(kubernetes.url.replace("shop.localhost", "127.0.0.1"), kubernetes.authority),
        "environment": Environment(**settings),
        "runner": runner,
        "url": kubernetes.url,
        "authority": kubernetes.authority,
        "actor": "somebody",
        "checkout": "here",
        "job": "",
        "eks": "",
        "work": folder / "work",
        "sources": lambda: folder / "sources",
    }
    return Site(**known | facts)


def impatient(site: Site) -> Site:
    """SITE, for a test whose address never serves: it gives up after a second."""
    return replace(site, environment=replace(site.environment, verify_deadline=1.0))
