"""After a stop, a crash or a kill of any part, one command makes the same release serve again."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import threading
import time

import pytest

from tests.e2e.project import Project
from tests.e2e.traces import traces


@pytest.mark.parametrize(
    "part", ["node", "edge", "aws", "buildkit", "registry", pytest.param("ecr", marks=pytest.mark.slow)]
)
def test_a_killed_part_is_up_again_with_the_same_release_after_local_up(project: Project, part: str) -> None:
    before = project.deploy().data
    os.kill(project.pid_of(part), signal.SIGKILL)
    time.sleep(0.3)
    began = time.monotonic()
    project.invoke("local.up", "-e", project.name)
    while True:
        try:
            if project.version()["digest"] == before["digest"]:
                break
        except (OSError, AssertionError):
            pass
        assert time.monotonic() - began < 90, f"{part} was killed and nothing serves after 90 s"
        time.sleep(0.1)
    print(f"{part} killed: serving again after {time.monotonic() - began:.1f} s")
    deployed = project.deploy().data
    assert (deployed["digest"], deployed["changed"]) == (before["digest"], False)


def test_down_leaves_nothing_and_up_has_the_same_release_serving(project: Project) -> None:
    before = project.deploy().data
    project.invoke("local.down", "-e", project.name)
    with pytest.raises(ConnectionRefusedError):
        project.version()
    left = traces()
    interface = f"ls-{hashlib.sha256(project.state().name.encode()).hexdigest()[:8]}"
    assert not [name for name in left["interfaces"] if name.startswith(interface)]
    for what in ("mounts", "cgroups", "sockets"):
        assert not [trace for trace in left[what] if project.state().name in trace], what
    assert not [line for line in left["firewall"] if "KUBE" in line]
    began = time.monotonic()
    deployed = project.deploy().data
    print(f"serving again {time.monotonic() - began:.1f} s after local.down")
    assert project.version()["revision"] == before["revision"], "deploy reported that it serves"
    assert (deployed["digest"], deployed["changed"]) == (before["digest"], False)


def test_the_page_answers_as_soon_as_up_has_returned(project: Project) -> None:
    before = project.deploy().data
    # The route to the pods exists a moment after the pods; a single start may not show that.
    for _ in range(3):
        project.invoke("local.down", "-e", project.name)
        project.invoke("local.up", "-e", project.name)
        assert project.version()["digest"] == before["digest"]


def test_deploy_does_not_report_success_before_the_address_serves(project: Project) -> None:
    before = project.deploy().data
    net = project.run() / "net"
    rule = ["FORWARD", "-p", "tcp", "--dport", "5000", "-j", "REJECT", "--reject-with", "tcp-reset"]
    firewall = ("nsenter", f"--net={net}", "iptables")
    mend = threading.Timer(2.5, subprocess.run, [[*firewall, "--delete", *rule]])
    subprocess.run([*firewall, "--insert", *rule], check=True)
    mend.start()
    try:
        with pytest.raises(AssertionError, match="502 Bad Gateway"):
            project.version()
        deployed = project.deploy().data
        assert project.version()["digest"] == before["digest"] == deployed["digest"]
    finally:
        mend.join()
