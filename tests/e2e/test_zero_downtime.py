"""Rollouts under load lose no request, and the test can tell: without the wait before a pod ends, it counts what is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.rollout.bake import Asking
from tests.e2e.project import Project
from tests.e2e.vegeta import Vegeta

SLOW = """
    @blueprint.get("/slow")
    def slow() -> str:
        import time

        time.sleep(2)
        return "slow"

    return blueprint
"""
ONE_WORKER = """            - name: APP_WORKERS
              value: "1"
"""
# At 200 requests a second twenty slow ones run at any time; three pods of eight threads would be full now and then.
THREADS = """            - name: APP_THREADS
              value: "32"
"""
RATE = 100  # requests a second of each of two askers
PRESTOP = "touch /tmp/draining && sleep 5"


@pytest.fixture
def slow(live: Project) -> Iterator[Project]:
    """The service with a page that takes two seconds, and threads enough for it, deployed."""
    live.restore()
    live.edit("application/pages.py", "\n    return blueprint\n", SLOW)
    live.edit("k8s/overlays/local/deployment.yaml", ONE_WORKER, ONE_WORKER + THREADS)
    live.deploy("--skip-checks")
    yield live
    live.restore()
    live.deploy("--skip-checks")


def under_load(project: Project, rate: float, work: Callable[[], None]) -> Asking:
    """Do WORK while every second request has a connection of its own, the others share some, and one in twenty is slow."""
    address = f"https://shop.localhost:{project.https_port}"
    with Asking(address, project.state() / "pki" / "edge-ca.crt", rate, slow="/slow") as asking:
        work()
    result = asking.probe.result()
    print({key: result[key] for key in ("sent", "failed", "classes", "p50", "p95", "p99", "late")})
    return asking


def roll_out(project: Project, times: int) -> None:
    for number in range(times):
        (project.folder / "application" / "note.txt").write_text(f"release {number}")
        assert project.deploy("--skip-checks").data["changed"] is True


@pytest.mark.parametrize("rollouts", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_no_request_is_lost_in_rollouts_and_a_rollback(slow: Project, rollouts: int, tmp_path: Path) -> None:
    def work() -> None:
        roll_out(slow, rollouts)
        slow.invoke("rollback", "-e", slow.name)

    def p99s(name: str, seconds: int, work: Callable[[], None]) -> tuple[float, float]:
        """Do WORK of at least SECONDS while the probe and Vegeta ask; return the p99 that each has seen, in ms."""
        (folder := tmp_path / name).mkdir()
        with Vegeta(slow, RATE, folder) as vegeta:
            asking = under_load(slow, RATE, work)
        seen = vegeta.report()
        print("Vegeta:", {key: seen[key] for key in ("requests", "status_codes", "errors", "latencies")})
        assert asking.probe.result()["classes"] == {}, asking.probe.examples
        assert seen["status_codes"] == {"200": seen["requests"]}, seen["errors"]
        assert min(asking.probe.sent, seen["requests"]) >= seconds * RATE
        return asking.probe.result()["p99"], seen["latencies"]["99th"] / 1e6

    rest = p99s("rest", 9, lambda: time.sleep(10))
    during = p99s("rollouts", 5 * rollouts, work)
    for who, before, meanwhile in zip(("probe", "Vegeta"), rest, during, strict=True):
        print(
            f"{who}: p99 during {rollouts} rollouts {meanwhile:.1f} ms, at rest {before:.1f}: {meanwhile / before:.1f} times"
        )


def test_pods_that_end_at_once_lose_requests_so_the_test_can_tell(slow: Project) -> None:
    # Without preStop alone few are lost, and not in each run: the edge keeps its connections. A slow one that is cut off always is.
    slow.edit("k8s/overlays/local/deployment.yaml", PRESTOP, "exit 0")
    slow.edit("k8s/overlays/local/deployment.yaml", "GracePeriodSeconds: 40", "GracePeriodSeconds: 1")
    slow.deploy("--skip-checks")
    asking = under_load(slow, 100, lambda: roll_out(slow, 2))
    assert sum(asking.probe.failed.values()) > 0
