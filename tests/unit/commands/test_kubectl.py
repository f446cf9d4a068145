"""kubectl's argv: one equality each."""

from __future__ import annotations

from pathlib import Path

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.process.command import Kind

CLUSTER = Cluster(kubectl="kubectl", kubeconfig=Path("/k/config"), context="production", namespace="shop")
PREFIX = ("kubectl", "--kubeconfig=/k/config", "--context=production")


def test_apply_is_server_side_and_a_change() -> None:
    command = kubectl.apply(CLUSTER, "manifest")
    assert command.argv == (
        *PREFIX,
        "apply",
        "--server-side",
        "--field-manager=longshore",
        "--force-conflicts",
        "--filename=-",
        "--output=name",
        "--request-timeout=30s",
    )
    assert (command.kind, command.stdin) == (Kind.CHANGE, "manifest")


def test_the_servers_dry_run_changes_nothing() -> None:
    command = kubectl.apply(CLUSTER, "manifest", dry_run=True)
    assert "--dry-run=server" in command.argv
    assert command.kind is Kind.QUERY
