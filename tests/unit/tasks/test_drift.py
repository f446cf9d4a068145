"""What is said of the difference between cluster and release where kubectl could not tell it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import StepFailed
from longshore.process.runner import Runner
from longshore.tasks import release

DIFFERENT = 'echo "+++ /tmp/MERGED-1/apps.v1.Deployment.shop.app"; exit 1'


def compare(folder: Path, script: str) -> str:
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    cluster = Cluster(kubectl=str(program), kubeconfig=folder / "config", context="here", namespace="shop")
    return release._difference(SimpleNamespace(runner=Runner({"PATH": "/usr/bin:/bin"})), kubectl.diff(cluster, []))


def test_a_difference_and_none_are_what_kubectl_prints(tmp_path: Path) -> None:
    assert "Deployment.shop.app" in compare(tmp_path, DIFFERENT)
    assert compare(tmp_path, "exit 0") == ""


@pytest.mark.parametrize(
    "script",
    [
        "echo 'error: proxyconnect tcp: refused' >&2; exit 2",
        "echo 'error: proxyconnect tcp: refused' >&2; exit 1",
        f"{DIFFERENT[:-1]}28",
        "kill -9 $$",
    ],
)
def test_a_comparison_that_failed_is_not_an_equality(tmp_path: Path, script: str) -> None:
    with pytest.raises(StepFailed, match="could not be compared") as failed:
        compare(tmp_path, script)
    assert "refused" in failed.value.sentence or "refused" not in script
