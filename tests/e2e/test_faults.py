"""One real fault per row on the real cluster: how the release ends, what it reports, how fast, and what serves.

Elsewhere: two deploys at once, a dead holder, clocks that differ (test_lease.py, tests/unit/rollout/test_lease.py),
kills at every boundary (test_cancellation.py).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from longshore.rollout.bake import Asking
from tests.e2e.faults import ROWS, SHAPES, SLOW, Row, code
from tests.e2e.project import Project
from tests.e2e.site import RATE, TABLE, Site, note, run


@pytest.fixture(scope="module")
def deployed(live: Project, pytestconfig: pytest.Config) -> Iterator[Site]:
    live.restore()
    yield Site(live)
    live.restore()
    live.deploy("--skip-checks")
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        reporter.write_line("")
        reporter.write_line(f"{'fault':<34} exit  verdict  back   failed/asked  cause")
        for line in TABLE:
            reporter.write_line(line)


@pytest.fixture
def clean(deployed: Site) -> Iterator[Site]:
    yield deployed
    deployed.project.restore()


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.fault, marks=pytest.mark.slow if row.fault in SLOW else ()) for row in ROWS]
)
def test_a_fault_is_named_and_what_was_good_serves(clean: Site, row: Row) -> None:
    row.edit(clean.project)
    ran, asking, _, _ = run(clean, row.fault, settings=row.settings, bake=row.bake)
    assert ran.exit_code == row.exit_code, ran.out + ran.err
    for word in row.words:
        assert word in ran.err, ran.err
    assert asking.probe.sent > RATE / 2, "the requests did not go on all the time"
    if row.served:
        assert asking.probe.result()["classes"] == {}, asking.probe.examples
    if row.exit_code == 6:
        assert clean.project.version()["digest"] == clean.good
        assert any(clean.evidence.glob("release-*/objects.json"))
    else:
        assert clean.project.version()["digest"] == ran.data["digest"]
        clean.project.restore()
        assert clean.deploy().exit_code == 0


def test_pods_beyond_the_quota_are_refused_and_nothing_is_lost(clean: Site) -> None:
    code("note = 1")(clean.project)
    clean.project.admin("create", "quota", "small", "--hard=pods=3")
    try:
        ran, asking, _, _ = run(clean, "quota")
    finally:
        clean.project.admin("delete", "quota", "small")
    assert ran.exit_code == 6, ran.err
    assert "exceeded quota" in ran.err
    assert asking.probe.result()["classes"] == {}
    assert clean.project.version()["digest"] == clean.good


def test_an_unchanged_manifest_of_many_shapes_has_nothing_to_do_and_its_job_runs_once(clean: Site) -> None:
    clean.project.add("shapes.yaml", SHAPES)
    assert clean.deploy().exit_code == 0
    again = clean.deploy()
    assert again.data["changed"] is False, again.err
    seeded = clean.project.kubectl("get", "job", "seed")["metadata"]["uid"]
    code("note = 2")(clean.project)
    changed = clean.deploy()
    assert changed.exit_code == 0, changed.err
    assert clean.project.kubectl("get", "job", "seed")["metadata"]["uid"] == seeded
    clean.project.edit("k8s/base/shapes.yaml", "allowPrivilegeEscalation: false, ", "")  # of the worker alone
    refused = clean.deploy()
    assert refused.exit_code == 6, refused.err
    assert "violates PodSecurity" in refused.err
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_an_image_that_somebody_sets_during_the_rollout_is_noticed(clean: Site) -> None:
    code("time.sleep(8)")(clean.project)
    edit = clean.when_applied(lambda: clean.project.admin("set", "image", "deployment/app", "app=nothing:1"))
    ran, asking, _, _ = run(clean, "manual edit during the rollout")
    edit.join()
    assert ran.exit_code == 6, ran.err
    assert "was changed by someone else" in ran.err
    assert "nothing:1" in ran.err
    assert asking.probe.result()["classes"] == {}
    assert clean.project.version()["digest"] == clean.good


def test_an_api_server_that_is_killed_comes_back_and_the_rollout_goes_on(clean: Site) -> None:
    code("time.sleep(8)")(clean.project)
    kill = clean.when_applied(lambda: os.kill(clean.api_server(), signal.SIGKILL))
    ran, asking, _, _ = run(clean, "API server killed")
    kill.join()
    assert ran.exit_code == 0, ran.err
    assert clean.project.version()["digest"] == ran.data["digest"]
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_an_api_server_that_hangs_leaves_the_state_unknown_and_nothing_is_undone(clean: Site) -> None:
    code("time.sleep(8)")(clean.project)
    stopped: list[int] = []

    def stop() -> None:
        stopped.append(clean.api_server())
        os.kill(stopped[0], signal.SIGSTOP)

    hang = clean.when_applied(stop)
    try:
        with Asking(clean.url, clean.authority, RATE) as asking:
            began = time.monotonic()
            ran = clean.deploy(ROLLOUT_DEADLINE="15")
            took = time.monotonic() - began
        hang.join()
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)
    note("API server hangs", ran, asking)
    assert ran.exit_code == 7, ran.err
    assert "the API server has not answered" in ran.err
    assert "nothing was rolled back" in ran.err
    assert took < 60
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_an_autoscaler_that_scales_during_the_rollout_is_no_fault(clean: Site) -> None:
    # An autoscaler sets the scale; without metrics none runs here, so kubectl does that.
    code("time.sleep(6)")(clean.project)
    clean.project.edit("k8s/overlays/local/kustomization.yaml", "replicas:\n  - name: app\n    count: 3\n", "")
    scale = clean.when_applied(lambda: clean.project.admin("scale", "deployment/app", "--replicas=5"))
    ran, asking, _, _ = run(clean, "scaled during the rollout")
    scale.join()
    assert ran.exit_code == 0, ran.err
    assert "5 of 5 replicas ready" in ran.err
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_a_node_that_is_drained_during_the_rollout_is_no_fault(clean: Site) -> None:
    # There is one node, so evicted pods wait until it is open again; the disruption budget keeps the others serving.
    code("time.sleep(6)")(clean.project)
    node = clean.project.kubectl("get", "nodes")["items"][0]["metadata"]["name"]
    ours = "--pod-selector=app.kubernetes.io/name=app"

    def drain() -> None:
        with clean.project.administering("drain", node, ours, "--delete-emptydir-data", "--timeout=90s") as draining:
            time.sleep(6)
            clean.project.admin("uncordon", node)
            assert draining.wait(timeout=100) == 0, draining.communicate()

    act = clean.when_applied(drain)
    try:
        ran, asking, _, _ = run(clean, "node drained during the rollout", settings={"PATIENCE__SCHEDULE": "30"})
        act.join()
    finally:
        clean.project.admin("uncordon", node)
    assert ran.exit_code == 0, ran.err
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_a_rollback_needs_no_registry(clean: Site) -> None:
    code("sys.exit(3)")(clean.project)
    kill = clean.when_applied(lambda: os.kill(clean.project.pid_of("registry"), signal.SIGKILL))
    try:
        ran, asking, _, _ = run(clean, "registry killed, then a crash")
        kill.join()
    finally:
        clean.project.invoke("local.up", "-e", clean.project.name)
    assert ran.exit_code == 6, ran.err
    assert asking.probe.result()["classes"] == {}
    assert clean.project.version()["digest"] == clean.good
