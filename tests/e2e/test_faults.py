"""One real fault per row on the real cluster: how the release ends, what it says, how fast, and what serves meanwhile and afterwards.

Elsewhere: two deploys at once, a dead and a skewed holder (test_release.py, tests/unit/rollout/test_lease.py), kills at every boundary
(test_cancellation.py).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from longshore.rollout.bake import Asking
from tests.e2e.conftest import Project
from tests.e2e.site import RATE, TABLE, Site, note, run
from tests.e2e.test_recovery import pid_of

Edit = Callable[[Project], None]

SIDECAR = """        - name: side
          image: {image}
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""
ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(40)


def code(text: str) -> Edit:
    """The service runs TEXT as it starts, before it listens."""

    def edit(project: Project) -> None:
        file = project.folder / "application" / "gunicorn.conf.py"
        file.write_text(f"{file.read_text()}\nimport threading, time\n{text}\n")

    return edit


def manifest(old: str, new: str, path: str = "k8s/base/deployment.yaml") -> Edit:
    return lambda project: project.edit(path, old, new)


def sidecar(image: str) -> Edit:
    def edit(project: Project) -> None:
        repository = project.invoke("infra.output", "-e", project.name, "--json").data["repository_url"]
        project.edit(
            "k8s/overlays/local/deployment.yaml",
            "      containers:\n",
            "      containers:\n" + SIDECAR.format(image=image.format(repository=repository)),
        )

    return edit


def foreign(project: Project) -> None:
    """The image runs a program for another processor."""
    program = project.folder / "application" / "program"
    program.write_bytes(ARM64)
    program.chmod(0o755)
    project.edit(
        "k8s/base/deployment.yaml",
        "          image: app\n",
        "          image: app\n          command: [/srv/application/program]\n",
    )


@dataclass(frozen=True)
class Row:
    fault: str
    edit: Edit
    words: tuple[str, ...]
    exit_code: int = 6
    bake: int = 0
    served: bool = (
        True  # whether no request may fail: a release that breaks after it took over has to fail some
    )
    settings: dict[str, str] = field(default_factory=dict)


ROWS = [
    Row(
        "crash at start",
        code('print("the vault is locked"); sys.exit(3)'),
        ("container app exited with 3", "the vault is locked"),
    ),
    Row("exit 0 in a loop", code("sys.exit(0)"), ("exited with 0, and a service must not end",)),
    Row(
        "crash after 20 s",
        code("threading.Timer(20, os._exit, (4,)).start()"),
        ("after it was verified", "container app exited with 4"),
        bake=40,
        served=False,
    ),
    Row(
        "never ready",
        manifest("path: /readyz", "path: /nobody-home"),
        ("not ready after 12 s", "Readiness probe failed", "statuscode: 400"),
        settings={"ROLLOUT_DEADLINE": "12"},
    ),
    Row(
        "ready, then unready",
        code("threading.Timer(20, draining_file.touch).start()"),
        ("after it was verified", "Readiness probe failed"),
        bake=30,
        served=False,
    ),
    Row(
        "wrong port",
        manifest("containerPort: 5000", "containerPort: 5001"),
        ("not ready after 12 s", "Readiness probe failed", ":5001", "connection refused"),
        settings={"ROLLOUT_DEADLINE": "12"},
    ),
    Row(
        "missing image",
        sidecar("{repository}:never-pushed"),
        ("cannot pull the image of container side", "not found"),
    ),
    Row(
        "wrong digest",
        sidecar("{repository}@sha256:" + "0" * 64),
        ("cannot pull the image of container side", "not found"),
    ),
    Row(
        "registry down",
        sidecar("127.0.0.1:9/side:1"),
        ("cannot pull the image of container side", "connection refused"),
    ),
    Row(
        "wrong architecture",
        foreign,
        ("container app", "exec format error, so the image is for another processor"),
    ),
    Row("out of memory", code('hog = b"x" * (400 << 20)'), ("exited with 137", "OOMKilled")),
    Row(
        "missing ConfigMap",
        manifest(
            "          env:\n", "          envFrom: [{configMapRef: {name: nowhere}}]\n          env:\n"
        ),
        ('configmap "nowhere" not found',),
    ),
    Row(
        "missing Secret",
        manifest("          env:\n", "          envFrom: [{secretRef: {name: nowhere}}]\n          env:\n"),
        ('secret "nowhere" not found',),
    ),
    Row(
        "missing volume",
        manifest(
            "          emptyDir:\n            sizeLimit: 64Mi\n", "          secret: {secretName: nowhere}\n"
        ),
        ("cannot have its volumes", '"nowhere" not found'),
    ),
    Row(
        "unschedulable",
        manifest(
            "      serviceAccountName: app\n",
            "      serviceAccountName: app\n      nodeSelector: {disk: none}\n",
        ),
        ("has no node", "didn't match"),
    ),
    Row(
        "refused by Pod Security",
        manifest("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        ("may not create pods", "violates PodSecurity"),
    ),
    Row("slow start within its budget", code("time.sleep(6)"), (), exit_code=0),
    Row(
        "one crash that recovers",
        code('once = run_dir / "once"\nif not once.exists():\n    once.touch()\n    sys.exit(3)'),
        (),
        exit_code=0,
    ),
]


@pytest.fixture(scope="module")
def site(live: Project, pytestconfig: pytest.Config) -> Iterator[Site]:
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
def clean(site: Site) -> Iterator[Site]:
    yield site
    site.project.restore()


# Twenty seconds each; these differ from their neighbours in the cause alone.
SLOW = {
    "exit 0 in a loop", "crash after 20 s", "never ready", "wrong digest", "registry down", "missing Secret", "missing volume",
    "unschedulable", "ready, then unready", "wrong port", "out of memory", "missing ConfigMap",
}  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.fault, marks=pytest.mark.slow if row.fault in SLOW else ()) for row in ROWS],
)
def test_a_fault_is_named_and_what_was_good_serves(clean: Site, row: Row) -> None:
    row.edit(clean.project)
    ran, asking, _, _ = run(clean, row.fault, settings=row.settings, bake=row.bake)
    assert ran.exit_code == row.exit_code, ran.out + ran.err
    for word in row.words:
        assert word in ran.err, ran.err
    assert asking.probe.sent > RATE / 2, "it did not ask all along"
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
    clean.admin("create", "quota", "small", "--hard=pods=3")
    try:
        ran, asking, _, _ = run(clean, "quota")
    finally:
        clean.admin("delete", "quota", "small")
    assert ran.exit_code == 6, ran.err
    assert "exceeded quota" in ran.err
    assert asking.probe.result()["classes"] == {}
    assert clean.project.version()["digest"] == clean.good


def test_an_image_that_somebody_sets_during_the_rollout_is_noticed(clean: Site) -> None:
    code("time.sleep(8)")(clean.project)
    edit = clean.when_applied(lambda: clean.admin("set", "image", "deployment/app", "app=nothing:1"))
    ran, asking, _, _ = run(clean, "manual edit during the rollout")
    edit.join()
    assert ran.exit_code == 6, ran.err
    assert "was changed by somebody else" in ran.err
    assert "nothing:1" in ran.err
    assert asking.probe.result()["classes"] == {}
    assert clean.project.version()["digest"] == clean.good


def test_an_api_server_that_is_killed_comes_back_and_the_rollout_goes_on(clean: Site) -> None:
    code("time.sleep(8)")(clean.project)
    kill = clean.when_applied(lambda: os.kill(clean.api_server(), signal.SIGKILL))
    ran, asking, _, _ = run(clean, "API server killed", settings={"ROLLOUT_DEADLINE": "60"})
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
    assert "nothing was undone" in ran.err
    assert took < 60
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_an_autoscaler_that_scales_during_the_rollout_is_no_fault(clean: Site) -> None:
    # What it does is to set the scale; there are no metrics here by which one would.
    code("time.sleep(6)")(clean.project)
    clean.project.edit(
        "k8s/overlays/local/kustomization.yaml", "replicas:\n  - name: app\n    count: 3\n", ""
    )
    scale = clean.when_applied(lambda: clean.admin("scale", "deployment/app", "--replicas=5"))
    ran, asking, _, _ = run(clean, "scaled during the rollout")
    scale.join()
    assert ran.exit_code == 0, ran.err
    assert "5 of 5 replicas ready" in ran.err
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_a_node_that_is_drained_during_the_rollout_is_no_fault(clean: Site) -> None:
    # There is one node, so what it loses waits until it is open again; the disruption budget keeps the others serving.
    code("time.sleep(6)")(clean.project)
    node = clean.project.kubectl("get", "nodes")["items"][0]["metadata"]["name"]
    ours = "--pod-selector=app.kubernetes.io/name=app"

    def drain() -> None:
        with clean.administering("drain", node, ours, "--delete-emptydir-data", "--timeout=90s") as draining:
            time.sleep(6)
            clean.admin("uncordon", node)
            assert draining.wait(timeout=100) == 0, draining.communicate()

    act = clean.when_applied(drain)
    try:
        limits = {"ROLLOUT_DEADLINE": "90", "PATIENCE__SCHEDULE": "30"}
        ran, asking, _, _ = run(clean, "node drained during the rollout", settings=limits)
        act.join()
    finally:
        clean.admin("uncordon", node)
    assert ran.exit_code == 0, ran.err
    assert asking.probe.result()["classes"] == {}
    clean.project.restore()
    assert clean.deploy().exit_code == 0


def test_a_rollback_needs_no_registry(clean: Site) -> None:
    code("sys.exit(3)")(clean.project)
    kill = clean.when_applied(lambda: os.kill(pid_of(clean.project, "registry"), signal.SIGKILL))
    try:
        ran, asking, _, _ = run(clean, "registry killed, then a crash")
        kill.join()
    finally:
        clean.project.invoke("local.up", "-e", clean.project.name)
    assert ran.exit_code == 6, ran.err
    assert asking.probe.result()["classes"] == {}
    assert clean.project.version()["digest"] == clean.good
