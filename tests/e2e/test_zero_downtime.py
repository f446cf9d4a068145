"""Rollouts under load lose no request; without the wait before a pod ends, the same test counts lost ones."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from longshore import AGENT
from longshore.rollout import verify
from longshore.rollout.bake import Asking
from tests.e2e.project import Project
from tests.e2e.vegeta import Vegeta

SLOW = """
    @blueprint.route("/slow", methods=["GET", "POST"])
    def slow() -> str:
        import time

        from flask import request

        time.sleep(6 if request.method == "POST" else 2)
        return "slow"

    return blueprint
"""
ONE_WORKER = """            - name: APP_WORKERS
              value: "1"
"""
# At 200 requests per second twenty slow ones run at any time, and would sometimes fill three pods of eight threads.
THREADS = """            - name: APP_THREADS
              value: "32"
"""
RATE = 100  # requests per second of each of the two clients
PRESTOP = "touch /tmp/draining && sleep 5"


@pytest.fixture
def slow(live: Project) -> Iterator[Project]:
    """The deployed service, with a page that takes two seconds, and enough threads for it."""
    live.restore()
    live.edit("application/pages.py", "\n    return blueprint\n", SLOW)
    live.edit("k8s/overlays/local/deployment.yaml", ONE_WORKER, ONE_WORKER + THREADS)
    live.deploy("--skip-checks")
    yield live
    live.restore()
    live.deploy("--skip-checks")


def under_load(project: Project, rate: float, work: Callable[[], None]) -> Asking:
    """Do WORK under requests: half on new connections, half on shared ones; one in twenty is slow."""
    address = f"https://shop.localhost:{project.https_port}"
    with Asking(address, project.state() / "pki" / "edge-ca.crt", rate, slow="/slow") as asking:
        work()
    result = asking.probe.result()
    print({key: result[key] for key in ("sent", "failed", "classes", "p50", "p95", "p99", "late")})
    return asking


def roll_out(project: Project, times: int) -> None:
    for number in range(times):
        (project.folder / "application" / "note.txt").write_text(f"release {number} at {time.time()}")
        assert project.deploy("--skip-checks").data["changed"] is True


@pytest.mark.parametrize("rollouts", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_no_request_is_lost_in_rollouts_and_a_rollback(slow: Project, rollouts: int, tmp_path: Path) -> None:
    def work() -> None:
        roll_out(slow, rollouts)
        slow.invoke("rollback", "-e", slow.name)

    def p99s(name: str, work: Callable[[], None]) -> tuple[float, float]:
        """Do WORK under the probe and Vegeta; return the p99 of each, in ms."""
        (folder := tmp_path / name).mkdir()
        with Vegeta(slow, RATE, folder) as vegeta:
            began = time.monotonic()
            asking = under_load(slow, RATE, work)
            seconds = time.monotonic() - began
        seen = vegeta.report()
        print("Vegeta:", {key: seen[key] for key in ("requests", "status_codes", "errors", "latencies")})
        assert asking.probe.result()["classes"] == {}, asking.probe.examples
        assert seen["status_codes"] == {"200": seen["requests"]}, seen["errors"]
        assert min(asking.probe.sent, seen["requests"]) > seconds * RATE / 2, "the requests did not go on all the time"
        return asking.probe.result()["p99"], seen["latencies"]["99th"] / 1e6

    rest = p99s("rest", lambda: time.sleep(10))
    during = p99s("rollouts", work)
    for who, before, meanwhile in zip(("probe", "Vegeta"), rest, during, strict=True):
        ratio = f"{meanwhile / before:.1f} times"
        print(f"{who}: p99 during {rollouts} rollouts {meanwhile:.1f} ms, at rest {before:.1f}: {ratio}")


@contextmanager
def posting(project: Project) -> Iterator[list[str]]:
    """Post to the slow page, eight at a time, while entered; what comes back is in the list."""
    answers, over = list[str](), threading.Event()
    context = ssl.create_default_context(cafile=project.state() / "pki" / "edge-ca.crt")

    def post() -> None:
        while not over.is_set():
            connection = verify._Connection("shop.localhost", project.https_port, timeout=20, context=context)
            try:
                connection.request("POST", "/slow", headers={"User-Agent": AGENT})
                answers.append(str(connection.getresponse().status))
            except (OSError, http.client.HTTPException) as problem:
                answers.append(repr(problem))
            finally:
                connection.close()

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_pods_that_end_at_once_lose_requests_so_the_test_can_tell(slow: Project) -> None:
    """A post takes six seconds, and the kubelet gives a pod that ends at once two, whatever its manifest says."""
    with posting(slow) as answers:
        roll_out(slow, 1)
    assert set(answers) == {"200"}, "with preStop and grace none is lost"
    slow.edit("k8s/overlays/local/deployment.yaml", PRESTOP, "exit 0")
    slow.edit("k8s/overlays/local/deployment.yaml", "GracePeriodSeconds: 40", "GracePeriodSeconds: 1")
    slow.deploy("--skip-checks")
    with posting(slow) as answers:
        roll_out(slow, 2)
    print(Counter(answers))
    assert set(answers) > {"200"}
