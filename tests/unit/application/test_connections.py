"""When the service closes a connection that a load balancer would keep."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[3] / "application" / "gunicorn.conf.py"


class Request:
    def __init__(self, path: str = "/") -> None:
        self.path, self.closed = path, False

    def force_close(self) -> None:
        self.closed = True


@pytest.fixture
def closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bool]:
    """Whether the connection is closed after a request of a path."""
    monkeypatch.setenv("APP_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))  # as after a HUP: signals are left alone
    before = runpy.run_path(str(CONFIGURATION))["pre_request"]

    def closes(path: str) -> bool:
        request = Request(path)
        before(None, request)
        return request.closed

    return closes


def test_now_and_then_a_connection_is_closed_so_that_new_pods_get_their_share(closes: Callable[[str], bool]) -> None:
    assert [closes("/") for _ in range(60)].count(True) == 3


def test_the_version_is_asked_of_another_pod_each_time(closes: Callable[[str], bool]) -> None:
    assert all(closes("/version") for _ in range(5))


def test_a_pod_that_drains_closes_every_connection(closes: Callable[[str], bool], tmp_path: Path) -> None:
    (tmp_path / "draining").touch()
    assert all(closes("/") for _ in range(5))
