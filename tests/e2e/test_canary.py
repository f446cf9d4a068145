"""On the real cluster: a canary that does worse than the old pods is taken back, a good one costs no request."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from longshore.rollout.bake import Asking
from tests.e2e.project import Project, Ran

RATE = 60  # requests per second, all the time
PAGE = '        return render_template("index.html"'
SLOW = "        import time\n\n        time.sleep({seconds})\n"
BROKEN = """        import random

        from flask import abort

        if random.random() < 0.05:
            abort(500)
"""


def page(site: Project, lines: str) -> None:
    """Have the service do LINES before it answers with its page."""
    site.edit("application/pages.py", PAGE, lines + PAGE)


def ship(site: Project, bake: int, canary: str, **options: str) -> Ran:
    return site.ship(deadline=400, **{site.key("BAKE"): str(bake), site.key("CANARY"): canary, **options})


@contextmanager
def users(site: Project, rate: float = RATE) -> Iterator[Asking]:
    address = f"https://shop.localhost:{site.https_port}"
    with Asking(address, site.state() / "pki" / "edge-ca.crt", rate) as asking:
        yield asking
    result = asking.probe.result()
    print({key: result[key] for key in ("sent", "failed", "classes", "p50", "p95", "p99", "late")})


def nothing_is_left(site: Project) -> None:
    pods = site.kubectl("get", "pods", "-l", "longshore.dev/canary")["items"]
    assert all("deletionTimestamp" in pod["metadata"] for pod in pods), "one still drains, like old pods; none stays"
    assert not site.invoke("status", "-e", site.name, "--json").data["canary"]


def taken_back(site: Project, ran: Ran, digest: str, pods: set[str]) -> None:
    assert ran.exit_code == 6, ran.err
    assert "the canary was taken back: " in ran.err
    assert "what was serving is unchanged" in ran.err
    assert site.version()["digest"] == digest
    assert set(site.admin("get", "pods", "-o", "name").splitlines()) == pods, "no old pod was replaced"
    assert site.releases()[0]["verdict"] == "rolled back"
    nothing_is_left(site)


def test_an_image_that_fails_one_request_in_twenty_is_caught_and_users_saw_no_more_than_its_share(
    site: Project,
) -> None:
    digest, pods = site.version()["digest"], site.standing()
    page(site, BROKEN)
    with users(site) as asking:
        ran = ship(site, 60, "10%")
    taken_back(site, ran, digest, pods)
    print(ran.data["error"])
    assert "requests failed, and 0.0% of " in ran.data["error"]
    share = 0.05 / 4 * asking.probe.sent  # one pod of four
    assert set(asking.probe.failed) <= {"5xx"}, asking.probe.examples
    assert 0 < sum(asking.probe.failed.values()) <= share + 3 * math.sqrt(share)


@pytest.mark.slow
def test_an_image_that_is_twice_as_slow_is_caught(site: Project) -> None:
    page(site, SLOW.format(seconds=0.05))
    assert site.ship().exit_code == 0
    digest, pods = site.version()["digest"], site.standing()
    site.edit("application/pages.py", "sleep(0.05)", "sleep(0.1)")
    with users(site) as asking:
        ran = ship(site, 60, "10%")
    taken_back(site, ran, digest, pods)
    print(ran.data["error"])
    assert "times as long)" in ran.data["error"]
    assert asking.probe.result()["classes"] == {}, asking.probe.examples


@pytest.mark.parametrize("rollouts", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_good_canaries_lose_no_request(site: Project, rollouts: int) -> None:
    with users(site, 100) as asking:
        for number in range(rollouts):
            site.change(f"good {number}")
            ran = ship(site, 8, '["10%", "50%"]')
            assert ran.exit_code == 0, ran.err
            assert site.version()["digest"] == ran.data["digest"]
            nothing_is_left(site)
    assert asking.probe.result()["classes"] == {}, asking.probe.examples
    assert asking.probe.sent > 100 * 16 * rollouts
    audit = (site.state() / "logs" / "audit.log").read_text()
    assert f"app-canary-{site.releases()[0]['number']}-2" in audit, "the second step added a pod"
    figures = re.search(r"canary of 2 beside 3 pods of app for 8 s \(its (\d+) requests, 0\.0% failed", ran.err)
    assert figures, ran.err
    asked = 2 * 8 * 5  # by Longshore itself
    assert int(figures[1]) > 2 * asked, "it took its share of the users' requests"
    print(figures[0])


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_run_that_is_killed_in_the_canary_is_finished_by_the_next_one(site: Project) -> None:
    site.change("killed")
    before = site.version()["digest"]
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks"],
        cwd=site.folder,
        env=site.environ | {site.key("BAKE"): "60", site.key("CANARY"): "50%"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with users(site) as asking:
        wait_for(lambda: site.admin("get", "pods", "-l", "longshore.dev/canary", "-o", "name").count("pod/") == 2)
        wait_for(lambda: site.version()["digest"] != before)  # it takes traffic
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed = site.releases()[0]["number"]
        said = site.invoke("status", "-e", site.name, "--json").data["canary"]
        assert said.startswith(f"release {killed}, app-canary-{killed}-1, app-canary-{killed}-2 since ")
        assert "it ends by itself at " in said
        ran = ship(site, 5, "50%")
        assert ran.exit_code == 0, ran.err
    assert asking.probe.result()["classes"] == {}, asking.probe.examples
    releases = {release["number"]: release["verdict"] for release in site.releases()}
    assert (releases[killed], releases[killed + 1]) == ("failed", "good")
    assert site.version()["digest"] == ran.data["digest"]
    site.standing()
    nothing_is_left(site)
    assert site.ship().data["changed"] is False


def test_a_quota_without_room_for_a_pod_is_said_before_anything_changes(site: Project) -> None:
    count = len(site.standing())
    site.admin("create", "quota", "tight", f"--hard=pods={count}")
    try:
        wait_for(
            lambda: site.kubectl("get", "quota", "tight").get("status", {}).get("used", {}).get("pods") == str(count)
        )
        site.change("no room")
        log = site.state() / "logs" / "audit.log"
        offset = log.stat().st_size
        ran = ship(site, 5, "10%")
        assert ran.exit_code == 3, ran.err
        for words in ("there is no room for a surge pod", "exceeded quota: tight", "nothing was changed"):
            assert words in ran.err
        with log.open() as file:
            file.seek(offset)
            events = [json.loads(line) for line in file]
        ours = [event for event in events if event["userAgent"].startswith(("longshore", "kubectl"))]
        written = [event for event in ours if event["verb"] in ("create", "update", "patch", "delete")]
        done = {event["objectRef"]["resource"] for event in written if "dryRun" not in event["requestURI"]}
        assert done <= {"leases", "tokenreviews", "selfsubjectreviews"}
    finally:
        site.admin("delete", "quota", "tight")


def test_a_release_ends_while_old_pods_drain_and_status_says_so(site: Project) -> None:
    site.standing()
    site.change("draining")
    ran = site.ship()
    assert ran.exit_code == 0
    assert "3 old pods are draining" in ran.err
    status = site.invoke("status", "-e", site.name)
    assert "old pods are draining" in status.out + status.err
    assert site.ship().data["changed"] is False, "the next run has nothing to do while they drain"
    site.change("next")
    assert site.ship().exit_code == 0, "nor are they in the way of the next release"
    site.standing()
    assert site.invoke("status", "-e", site.name, "--json").data["draining"] == 0
