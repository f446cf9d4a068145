"""The main job, deploy, on the real local environment; nothing is mocked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

from tests.e2e.project import Project, git


def app_pods(project: Project) -> list[dict]:  # type: ignore[type-arg]
    """Return the service's pods without those that are ending, which a deploy leaves to Kubernetes."""
    items: list[dict] = project.kubectl("-n", "shop", "get", "pods", "-l", "app.kubernetes.io/name=app")["items"]  # type: ignore[type-arg]
    return [item for item in items if "deletionTimestamp" not in item["metadata"]]


def test_registry_pods_and_page_agree_on_the_digest(project: Project) -> None:
    deployed = project.deploy().data
    pods = app_pods(project)
    assert len(pods) == 3
    running = {status["imageID"].rpartition("@")[2] for pod in pods for status in pod["status"]["containerStatuses"]}
    assert all(status["ready"] for pod in pods for status in pod["status"]["containerStatuses"])
    assert running == {deployed["digest"]}
    assert deployed["digest"] in project.registry_digests()
    version = project.version()
    assert version["digest"] == deployed["digest"]
    assert version["revision"] == deployed["revision"] == git(project.folder, "rev-parse", "HEAD")[:12]
    assert version["pod"] in {pod["metadata"]["name"] for pod in pods}


def test_the_page_shows_revision_digest_and_pod(project: Project) -> None:
    status, headers, body = project.get("/")
    version = project.version()
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert version["revision"] in body
    assert version["digest"] in re.sub(r"<[^>]+>", "", body), "the digest is complete, though shown in parts"


def test_plain_http_is_redirected_to_https(project: Project) -> None:
    status, headers, _ = project.get("/somewhere?x=1", plain=True)
    assert status == 301
    assert headers["location"] == f"https://shop.localhost:{project.https_port}/somewhere?x=1"


def test_terraforms_state_lists_cluster_network_roles_and_user(project: Project) -> None:
    addresses = project.invoke("infra.state", "-e", project.name, "--json").data["resources"]
    kinds = {address.split(".")[-2] for address in addresses}
    assert kinds >= {
        "aws_eks_cluster",
        "aws_eks_node_group",
        "aws_vpc",
        "aws_subnet",
        "aws_security_group",
        "aws_iam_role",
        "aws_iam_user",
        "aws_lb",
        "aws_lb_listener",
        "aws_ecr_repository",
    }


def test_nothing_changed_means_nothing_built_and_nothing_rolled_out(project: Project) -> None:
    project.deploy()
    before = {pod["metadata"]["uid"] for pod in app_pods(project)}
    deployed = project.deploy()
    assert deployed.data["changed"] is False
    assert {"image", "release", "infra"} <= set(deployed.data["skipped"])
    assert "nothing was built or rolled out" in deployed.err
    assert {pod["metadata"]["uid"] for pod in app_pods(project)} == before


def test_a_one_line_edit_is_live_after_one_command_and_no_old_pod_is_left(project: Project) -> None:
    project.deploy()
    old = {pod["metadata"]["name"] for pod in app_pods(project)}
    headline = "Edited by a test, seen by a browser"
    template = project.folder / "application" / "templates" / "index.html"
    text = template.read_text()
    template.write_text(text.replace("</h1>", f" {headline}</h1>", 1))
    began = time.monotonic()
    deployed = project.deploy().data
    took = time.monotonic() - began
    assert "-dirty-" in deployed["revision"]
    assert set(deployed["ran"]) == {"test-service", "secrets", "image", "release"}, (
        "what reads templates, and nothing else"
    )
    assert headline in project.get("/")[2]
    assert project.version()["revision"] == deployed["revision"]
    assert not old & {pod["metadata"]["name"] for pod in app_pods(project)}
    print(f"an edit was live after {took:.1f} s, its gates included")
    report = json.loads((project.folder / ".longshore" / "report" / "report.json").read_text())
    assert report["image"]["digest"] == deployed["digest"]
    assert len(report["image"]["layers"]) > 2
    assert any(layer["made_by"].startswith("COPY") for layer in report["image"]["layers"])
    assert {pod["name"] for pod in report["pods"]} == {pod["metadata"]["name"] for pod in app_pods(project)}


def test_a_checkout_that_knows_nothing_takes_the_image_that_the_registry_has(project: Project) -> None:
    before = project.deploy().data["digest"]
    (project.folder / ".longshore" / "environments" / project.name / "image.json").unlink()
    planned = project.deploy("--dry-run")
    assert "image" not in planned.data["would_run"]
    (project.folder / ".longshore" / "environments" / project.name / "image.json").unlink()
    deployed = project.deploy()
    assert (deployed.data["digest"], deployed.data["changed"]) == (before, False)
    assert "in the registry already" in deployed.data["skipped"]["image"]


def test_an_edit_that_is_taken_back_is_not_built_again(project: Project) -> None:
    before = project.deploy().data["digest"]
    template = project.folder / "application" / "templates" / "index.html"
    text = template.read_text()
    template.write_text(f"{text}<!-- a thought -->\n")
    assert project.deploy().data["digest"] != before
    template.write_text(text)
    again = project.deploy().data
    assert again["digest"] == before
    assert "image" in again["skipped"]


def test_url_prints_the_address_alone(project: Project) -> None:
    assert project.invoke("url", "-e", project.name).out == f"https://shop.localhost:{project.https_port}\n"


def test_a_deployment_deleted_by_hand_is_seen_and_repaired(project: Project) -> None:
    project.deploy()
    project.kubectl("-n", "shop", "scale", "deployment/app", "--replicas=0")
    assert project.deploy().data["changed"] is True
    assert len(app_pods(project)) == 3


def test_status_and_history_show_what_serves(project: Project) -> None:
    deployed = project.deploy().data
    status = project.invoke("status", "-e", project.name, "--json").data
    assert (status["healthy"], status["revision"]) == (True, deployed["revision"])
    releases = project.invoke("history", "-e", project.name, "--json").data["releases"]
    assert releases[0]["digest"] == deployed["digest"]


def test_status_names_the_alarms_that_have_gone_off(project: Project) -> None:
    project.deploy()
    cloudwatch, name = project.client("cloudwatch"), f"shop-{project.name}-by-hand"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Nowhere",
        MetricName="nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    try:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="set by a test")
        status = project.invoke("status", "-e", project.name)
        assert "by-hand" in next(line for line in status.out.splitlines() if "alarms" in line)
        assert "by-hand" in project.invoke("status", "-e", project.name, "--json").data["alarms"]
    finally:
        cloudwatch.delete_alarms(AlarmNames=[name])
    assert "by-hand" not in project.invoke("status", "-e", project.name, "--json").data["alarms"]


def test_rollback_makes_the_release_before_serve_again(project: Project) -> None:
    first = project.deploy().data
    (project.folder / "application" / "note.txt").write_text("another release")
    second = project.deploy().data
    assert second["revision"] != first["revision"]
    project.invoke("rollback", "-e", project.name)
    assert project.version()["revision"] == first["revision"]


def test_the_smoke_tests_pass_against_the_public_address(project: Project) -> None:
    deployed = project.deploy().data
    environ = project.environ | {
        "LONGSHORE_URL": deployed["url"],
        "LONGSHORE_CA": str(project.state() / "pki" / "edge-ca.crt"),
        "LONGSHORE_REVISION": deployed["revision"],
    }
    argv = [sys.executable, "-m", "pytest", "-q", "tests/smoke"]
    done = subprocess.run(
        argv, cwd=project.folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
