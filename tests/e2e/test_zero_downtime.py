"""Rollouts under load lose no request, and the test can tell: without the wait before a pod ends, it counts what is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from longshore.rollout.bake import Asking
from tests.e2e.conftest import Project

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
ROOM = 0.35  # of a core, for asking
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


def at_rest(project: Project) -> tuple[int, float]:
    """Return at which rate to ask, and its p99 at rest, in ms: 200/s, or half of it where asking alone fills this machine's cores.

    Python's TLS costs a slow core half its time at 200/s; beside a rollout the asking would then fall behind and measure itself.
    """
    for rate in (200, 100):
        began = time.process_time()
        rest = under_load(project, rate, lambda: time.sleep(10)).probe.result()["p99"]
        share = (time.process_time() - began) / 10
        print(f"asking at {rate}/s takes {share:.0%} of a core")
        if share < ROOM:
            break
    return rate, rest


@pytest.mark.parametrize("rollouts", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_no_request_is_lost_in_rollouts_and_a_rollback(slow: Project, rollouts: int) -> None:
    def work() -> None:
        roll_out(slow, rollouts)
        slow.invoke("rollback", "-e", slow.name)

    rate, rest = at_rest(slow)
    asking = under_load(slow, rate, work)
    meanwhile = asking.probe.result()["p99"]
    print(
        f"p99 during {rollouts} rollouts at {rate}/s {meanwhile} ms, at rest {rest} ms: {meanwhile / rest:.2f} times"
    )
    assert asking.probe.sent > rollouts * rate
    assert asking.probe.result()["classes"] == {}, asking.probe.examples


def test_pods_that_end_at_once_lose_requests_so_the_test_can_tell(slow: Project) -> None:
    # Without preStop alone few are lost, and not in each run: the edge keeps its connections. A slow one that is cut off always is.
    slow.edit("k8s/overlays/local/deployment.yaml", PRESTOP, "exit 0")
    slow.edit("k8s/overlays/local/deployment.yaml", "GracePeriodSeconds: 40", "GracePeriodSeconds: 1")
    slow.deploy("--skip-checks")
    asking = under_load(slow, 100, lambda: roll_out(slow, 2))
    assert sum(asking.probe.failed.values()) > 0
