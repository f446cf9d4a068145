"""The main job on the real local environment: nothing here is mocked, and the test fails where a part is."""

from __future__ import annotations

import json
import re
import time
import urllib.request

from tests.e2e.project import Project, git


def registry_digests(project: Project) -> set[str]:
    """Return the digests that the registry itself knows for the application's image."""
    repository = project.invoke("infra.output", "-e", project.name, "--json").data["repository_url"]
    host, _, name = repository.partition("/")
    login = json.loads((project.state() / "docker" / "config.json").read_text())["auths"][host]["auth"]
    allowed = {"Authorization": f"Basic {login}"}
    tags_list = urllib.request.Request(f"http://{host}/v2/{name}/tags/list", headers=allowed)
    with urllib.request.urlopen(tags_list, timeout=5) as answer:
        tags = json.load(answer)["tags"]
    found = set()
    for tag in tags:
        accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
        request = urllib.request.Request(
            f"http://{host}/v2/{name}/manifests/{tag}", headers={"Accept": accept} | allowed, method="HEAD"
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            found.add(answer.headers["Docker-Content-Digest"])
    return found


def app_pods(project: Project) -> list[dict]:  # type: ignore[type-arg]
    """Return the pods of the service, also those on their way out: after a deploy there are none."""
    items: list[dict] = project.kubectl("-n", "shop", "get", "pods", "-l", "app.kubernetes.io/name=app")[
        "items"
    ]  # type: ignore[type-arg]
    return items


def test_registry_pods_and_page_agree_on_the_digest(project: Project) -> None:
    said = project.deploy().data
    pods = app_pods(project)
    assert len(pods) == 3
    running = {
        status["imageID"].rpartition("@")[2] for pod in pods for status in pod["status"]["containerStatuses"]
    }
    assert all(status["ready"] for pod in pods for status in pod["status"]["containerStatuses"])
    assert running == {said["digest"]}
    assert said["digest"] in registry_digests(project)
    version = project.version()
    assert version["digest"] == said["digest"]
    assert version["revision"] == said["revision"] == git(project.folder, "rev-parse", "HEAD")[:12]
    assert version["pod"] in {pod["metadata"]["name"] for pod in pods}


def test_the_page_shows_revision_digest_and_pod(project: Project) -> None:
    status, headers, body = project.get("/")
    version = project.version()
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert version["revision"] in body
    assert version["digest"] in re.sub(r"<[^>]+>", "", body), (
        "the digest is whole, though it is shown in parts"
    )


def test_plain_http_is_redirected_to_https(project: Project) -> None:
    status, headers, _ = project.get("/somewhere?x=1", plain=True)
    assert status == 301
    assert headers["location"] == f"https://shop.localhost:{project.https_port}/somewhere?x=1"


def test_terraforms_state_lists_cluster_network_roles_and_user(project: Project) -> None:
    addresses = project.invoke("infra.state", "-e", project.name, "--json").data["resources"]
    kinds = {address.split(".")[-2] for address in addresses}
    assert kinds >= {
        "aws_eks_cluster", "aws_eks_node_group", "aws_vpc", "aws_subnet", "aws_security_group", "aws_iam_role", "aws_iam_user",
        "aws_lb", "aws_lb_listener", "aws_ecr_repository",
    }  # fmt: skip


def test_nothing_changed_means_nothing_built_and_nothing_rolled_out(project: Project) -> None:
    project.deploy()
    before = {pod["metadata"]["uid"] for pod in app_pods(project)}
    said = project.deploy()
    assert said.data["changed"] is False
    assert {"image", "release", "infra"} <= set(said.data["skipped"])
    assert "nothing was rebuilt or rolled out" in said.err
    assert {pod["metadata"]["uid"] for pod in app_pods(project)} == before


def test_a_one_line_edit_is_live_after_one_command_and_no_old_pod_is_left(project: Project) -> None:
    project.deploy()
    old = {pod["metadata"]["name"] for pod in app_pods(project)}
    headline = "Edited by a test, seen by a browser"
    template = project.folder / "application" / "templates" / "index.html"
    text = template.read_text()
    template.write_text(text.replace("</h1>", f" {headline}</h1>", 1))
    began = time.monotonic()
    said = project.deploy().data
    took = time.monotonic() - began
    assert "-dirty-" in said["revision"]
    assert set(said["ran"]) == {"test-service", "secrets", "image", "release"}, (
        "what reads templates, and nothing else"
    )
    assert headline in project.get("/")[2]
    assert project.version()["revision"] == said["revision"]
    assert not old & {pod["metadata"]["name"] for pod in app_pods(project)}
    assert took < 60, "an edit takes seconds, not minutes"
    report = json.loads((project.folder / ".longshore" / "report" / "report.json").read_text())
    assert report["image"]["digest"] == said["digest"]
    assert len(report["image"]["layers"]) > 2
    assert any(layer["made_by"].startswith("COPY") for layer in report["image"]["layers"])
    assert {pod["name"] for pod in report["pods"]} == {pod["metadata"]["name"] for pod in app_pods(project)}


def test_url_prints_the_address_alone(project: Project) -> None:
    assert project.invoke("url", "-e", project.name).out == f"https://shop.localhost:{project.https_port}\n"


def test_a_deployment_deleted_by_hand_is_seen_and_repaired(project: Project) -> None:
    project.deploy()
    project.kubectl("-n", "shop", "scale", "deployment/app", "--replicas=0")
    assert project.deploy().data["changed"] is True
    assert len(app_pods(project)) == 3


def test_status_and_history_tell_what_serves(project: Project) -> None:
    said = project.deploy().data
    status = project.invoke("status", "-e", project.name, "--json").data
    assert (status["healthy"], status["revision"]) == (True, said["revision"])
    releases = project.invoke("history", "-e", project.name, "--json").data["releases"]
    assert releases[0]["digest"] == said["digest"]


def test_status_names_the_alarms_that_ring(project: Project) -> None:
    project.deploy()
    cloudwatch, name = project.client("cloudwatch"), f"shop-{project.name}-by-hand"
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="Nowhere", MetricName="nothing", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    try:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="somebody says so")
        said = project.invoke("status", "-e", project.name)
        assert "by-hand" in next(line for line in said.out.splitlines() if "alarms" in line)
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
    import subprocess
    import sys

    said = project.deploy().data
    environ = project.environ | {
        "LONGSHORE_URL": said["url"],
        "LONGSHORE_CA": str(project.state() / "pki" / "edge-ca.crt"),
        "LONGSHORE_REVISION": said["revision"],
    }
    argv = [sys.executable, "-m", "pytest", "-q", "tests/smoke"]
    done = subprocess.run(
        argv, cwd=project.folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
