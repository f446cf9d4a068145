"""Pipelines on the local cloud that are cancelled in a job that holds something."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.pipelines import SECRETS, Pipelines, trusted
from tests.e2e.processes import descendants
from tests.e2e.project import Project
from tests.e2e.reviewed import locked

PROMPT = 5.0  # seconds until what watches over the ended command's programs is gone, too


def leased(project: Project) -> bool:
    """Whether a release holds the environment's lease."""
    leases = project.kubectl("get", "leases.coordination.k8s.io")["items"]
    return any(lease["spec"].get("holderIdentity") for lease in leases)


HELD = {"rollout": (["--jobs=build,rollout"], leased), "apply": (["--jobs=plan,apply", "--by-hand=apply"], locked)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "job", "number"),
    [
        ("gitlab", "rollout", signal.SIGINT),
        ("github", "rollout", signal.SIGTERM),
        ("gitlab", "apply", signal.SIGTERM),
        ("github", "apply", signal.SIGINT),
    ],
)
def test_a_pipeline_that_is_cancelled_in_a_job_that_holds_something_leaves_no_lock(
    pipelines: Pipelines, provider: str, job: str, number: signal.Signals, tmp_path: Path
) -> None:
    project = pipelines.project
    jobs_of, held = HELD[job]
    if job == "apply":
        variable = {"gitlab": "latency_threshold_seconds", "github": "log_retention_days"}[provider]
        ports = f"http_port = {project.http_port}"
        project.edit("longshore.toml", ports, f"{variable} = 30\n{ports}")
    revision, mark = pipelines.commit(f"cancelled in {job} at {provider}"), str(tmp_path)
    argv = ["ci.run", "-e", project.name, f"--provider={provider}", *jobs_of]
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", *argv],
        cwd=project.folder,
        env=project.environ | {"PATH": pipelines.path, "TMPDIR": mark, **SECRETS},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 300
        while not held(project):
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    end = time.monotonic() + PROMPT
    while left := descendants(mark):
        assert time.monotonic() < end, left
        time.sleep(0.05)
    assert not held(project)
    assert trusted(project) == pipelines.before
    assert not (pipelines.folder(provider) / "home").exists(), "it has the project's variables"
    pipelines.run(provider, *jobs_of)
    assert not held(project)
    if job == "rollout":
        assert project.version()["revision"] == revision
    else:
        assert project.invoke("infra.plan", "-e", project.name, "--json").data["changes"] == []
