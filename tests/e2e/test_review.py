"""A branch in a slot of its own, beside what users see: deployed, brought up to date, ended; by its own role, too."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.tasks.rehearse import CHANGE
from tests import pipeline_tools
from tests.e2e.gitlab import GitLab
from tests.e2e.principal import Principal
from tests.e2e.project import Project, Ran, git

pytestmark = pytest.mark.slow  # Terraform makes the slots, and takes them away

# What a namespace has of its own, and the lock of its releases.
REMAINS = {"configmap/kube-root-ca.crt", "serviceaccount/default", "lease.coordination.k8s.io/longshore-release"}
KINDS = "deploy,rs,pod,svc,job,cm,secret,sa,lease,netpol,pdb,hpa"


def in_slot(project: Project, number: int) -> Project:
    """The slot's own address and namespace."""
    slot = copy.copy(project)
    slot.host, slot.namespace = f"review-{number}.{project.host}", f"{project.namespace}-review-{number}"
    return slot


def review(project: Project, verb: str, name: str = "", *, check: bool = True, **environ: str) -> Ran:
    words = (f"review.{verb}", *(("--name", name) if name else ()), "--json")
    return project.invoke(*words, check=check, **environ)


@pytest.fixture(scope="module")
def slots(live: Project) -> Iterator[Project]:
    """The project with two slots, which nobody has prepared yet."""
    live.restore()
    before = (live.folder / "longshore.toml").read_text()
    variables = f"[environments.{live.name}.variables]\n"
    settings = before.replace(variables, f"{variables}review_slots = 2\n")
    settings += f'\n[pipeline.review]\nenvironment = "{live.name}"\nhours = 1\n'
    (live.folder / "longshore.toml").write_text(settings)
    began = git(live.folder, "rev-parse", "HEAD")
    git(live.folder, "commit", "-q", "-a", "-m", "Have review environments")
    live.deploy("--skip-checks")
    yield live
    for name in ("work", "Feature/Two", CHANGE):
        review(live, "stop", name)
    git(live.folder, "reset", "-q", "--hard", began)
    live.restore()
    live.deploy("--skip-checks")


@pytest.fixture(scope="module")
def deployed(slots: Project) -> Project:
    refused = review(slots, "deploy", "work", check=False)
    assert refused.exit_code == 3
    assert "review.prepare" in refused.data["hint"]
    review(slots, "prepare")
    slots.change("what the branch is about")
    made = review(slots, "deploy", "work").data
    assert (made["url"], made["changed"]) == (f"https://review-1.{slots.host}:{slots.https_port}", True)
    return slots


def test_a_branch_serves_under_its_own_name_beside_what_users_see(deployed: Project) -> None:
    here, there = in_slot(deployed, 1).version(), deployed.version()
    assert here["digest"] != there["digest"]
    assert in_slot(deployed, 1).kubectl("get", "pods")["items"]
    assert here["digest"] not in deployed.registry_digests(), "its image is in a repository of its own"
    again = review(deployed, "deploy", "work").data
    assert (again["changed"], again["slot"]) == (False, "shop-review-1")


def test_another_branch_gets_another_slot_and_a_third_is_told_who_has_them(deployed: Project) -> None:
    second = review(deployed, "deploy", "Feature/Two").data
    assert second["slot"] == "shop-review-2"
    full = review(deployed, "deploy", "third", check=False)
    assert full.exit_code == 4
    assert "work until" in full.data["error"]
    assert "Feature/Two until" in full.data["error"]
    listed = review(deployed, "list").data["slots"]
    assert [row["name"] for row in listed] == ["work", "Feature/Two"]
    assert review(deployed, "prune").data["stopped"] == [], "an hour is not over yet"


def test_the_role_of_branches_may_edit_slots_and_nothing_else(deployed: Project, tmp_path: Path) -> None:
    role = deployed.invoke("infra.output", "-e", deployed.name, "--json").data["ci_role_arns"]["review"]
    key = deployed.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="job", WebIdentityToken=GitLab(deployed).token("work")
    )["Credentials"]
    branch = Principal(deployed, tmp_path, key)

    def may(namespace: str, verb: str, kind: str) -> bool:
        return branch.kubectl("auth", "can-i", verb, kind, "-n", namespace).stdout.strip() == "yes"

    for namespace in ("shop-review-1", "shop-review-2"):
        assert may(namespace, "patch", "deployments.apps")
        assert may(namespace, "create", "leases.coordination.k8s.io")
        assert not may(namespace, "patch", "resourcequotas")
        assert not may(namespace, "create", "rolebindings.rbac.authorization.k8s.io")
    for verb, kind in (("list", "pods"), ("get", "secrets"), ("patch", "deployments.apps"), ("get", "configmaps")):
        assert not may(deployed.namespace, verb, kind)


def test_an_end_leaves_nothing_and_what_users_see_as_it_was(deployed: Project) -> None:
    before, pods = deployed.version(), deployed.standing()
    assert review(deployed, "stop", "work").data["stopped"] == ["work"]
    left = set(in_slot(deployed, 1).admin("get", KINDS, "-o", "name").split())
    assert {name for name in left if name not in REMAINS} == set()
    assert in_slot(deployed, 1).get("/version")[0] == 502
    assert review(deployed, "stop", "work").data["stopped"] == []
    assert (deployed.version()["digest"], deployed.standing()) == (before["digest"], pods)
    assert in_slot(deployed, 2).get("/version")[0] == 200, "the other branch's goes on"
    assert json.loads(in_slot(deployed, 1).admin("get", "quota", "-o", "json"))["items"]


@pytest.mark.parametrize("provider", ["gitlab", "github"])
def test_the_jobs_of_a_merge_request_deploy_it_and_end_it_as_their_own_role(deployed: Project, provider: str) -> None:
    folders = [*pipeline_tools.gitlab_ci_local(), pipeline_tools.compiled(pipeline_tools.ACT).parent]
    path = ":".join([*map(str, folders), deployed.environ["PATH"]])
    review(deployed, "stop", "work")

    def run(event: str, *jobs: str) -> None:
        options = ("-e", deployed.name, f"--provider={provider}", f"--event={event}", "--json")
        ran = deployed.invoke("ci.run", *options, *jobs, deadline=600, PATH=path)
        assert [job["result"] for job in ran.data["jobs"]] == ["passed"]

    run("merge_request", "--jobs=review")
    (row,) = [row for row in review(deployed, "list").data["slots"] if row.get("name") == CHANGE]
    slot = in_slot(deployed, int(row["slot"].rpartition("-")[2]))
    assert slot.version()["revision"] == git(deployed.folder, "rev-parse", "HEAD")[:12]
    calls = (deployed.state() / "aws" / "requests.log").read_text()
    assert f"assumed-role/shop-{deployed.name}-ci-review/" in calls
    run("closed")
    assert CHANGE not in [row.get("name") for row in review(deployed, "list").data["slots"]]
    assert set(slot.admin("get", KINDS, "-o", "name").split()) <= REMAINS
