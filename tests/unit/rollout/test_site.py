"""What a release knows of where it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of


def test_a_site_does_not_change_while_a_release_runs(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    site = site_of(kubernetes, kubectl, tmp_path)
    with pytest.raises(AttributeError):
        site.url = "https://elsewhere"  # type: ignore[misc]
    assert site.report == tmp_path / "work" / "report"


def test_sources_are_not_needed_to_look_at_a_site(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    def gone() -> Path:
        raise AssertionError("nobody needs the sources")

    assert site_of(kubernetes, kubectl, tmp_path, sources=gone).url == kubernetes.url
