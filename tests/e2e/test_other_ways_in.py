"""Two other ways to start: after a first start that was killed, and with an existing cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project, free_ports, make_project

EXISTING = """
[environments.other]
account = "123456789012"
approve = "auto"
namespace = "other"
overlay = "local"
variables_file = "terraform/environments/local.tfvars"
bake = 0

[environments.other.local]
aws_port = {aws}
context = "{context}"
kubeconfig = "{kubeconfig}"
registry = "{address}:5001"
node_address = "{address}"

[environments.other.variables]
http_port = {http}
https_port = {https}
node_port = 30081
app_namespace = "other"
"""


@pytest.fixture
def killed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = make_project(tmp_path / "shop", "killed", tmp_path_factory.mktemp("k"))
    yield project
    project.invoke("local.reset", "-e", "killed", "--confirm", "killed", deadline=120)


@pytest.mark.slow
def test_a_first_start_that_was_killed_is_continued(killed: Project) -> None:
    argv = [sys.executable, "-m", "invoke", "local.up", "-e", "killed"]
    for seconds in (2.0, 6.0, 25.0):  # packages and network, the node, Terraform in the middle of its apply
        process = subprocess.Popen(argv, cwd=killed.folder, env=killed.environ, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 300
    while (ran := killed.deploy("--skip-checks", deadline=400, check=False)).exit_code != 0:
        # Terraform runs on and holds the state's lock until it is done; the lock is never broken.
        assert ran.exit_code == 4, ran.err
        assert time.monotonic() < deadline, ran.err
        time.sleep(3)
    assert killed.version()["digest"] == ran.data["digest"]


def test_an_existing_cluster_takes_the_built_in_ones_place(project: Project) -> None:
    first = project.deploy("--skip-checks").data
    kubeconfig = project.state() / "pki" / "admin.conf"
    address = project.invoke("infra.output", "-e", project.name, "--json").data["cluster_endpoint"].split("/")[2]
    context = next(line.split()[-1] for line in kubeconfig.read_text().splitlines() if "current-context" in line).strip(
        "\"',"
    )
    http, https, aws = free_ports(3)
    with (project.folder / "longshore.toml").open("a") as settings:
        settings.write(
            EXISTING.format(
                aws=aws, context=context, kubeconfig=kubeconfig, address=address.split(":")[0], http=http, https=https
            )
        )
    other = Project(project.folder, "other", (http, https, aws), Path(project.environ["XDG_STATE_HOME"]).parent)
    other.environ["DOCKER_CONFIG"] = str(project.state() / "docker")  # that registry wants a login
    try:
        deployed = other.deploy("--skip-checks", deadline=300).data
        assert other.version()["digest"] == deployed["digest"]
        pods = project.kubectl("-n", "other", "get", "pods")["items"]
        assert len([pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]) == 3
        assert project.version()["digest"] == first["digest"]
    finally:
        other.invoke("local.reset", "-e", "other", "--confirm", "other", deadline=120)
