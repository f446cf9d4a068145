"""Pipelines on the local cloud, run by gitlab-ci-local and by act: every job in its own clone and as its own role."""

from __future__ import annotations

import base64
import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Job
from longshore.settings.load import load
from tests.e2e.pipelines import CLONE, SECRETS, Pipelines, Recorded, commands, trusted
from tests.e2e.project import Project, git
from tests.spelling import leaked

PUSHED = ["lint", "tests", "scan", "validate", "plan", "build", "rollout"]
DELIVERY = ["validate", "plan", "build", "rollout"]
READS = re.compile(r"\w+:(Describe|Get|List|View|Head)")
TOKEN = base64.b64encode(b'{"alg": "RS256", "typ"').decode()[:20]  # how every identity token of ours begins


@dataclass
class Pushed:
    revision: str
    data: dict[str, Any]
    logs: dict[str, str]
    records: dict[str, Recorded]


@pytest.fixture(scope="module")
def pushed(pipelines: Pipelines) -> Pushed:
    """A whole push to the default branch, run by gitlab-ci-local."""
    revision = pipelines.commit("pushed to GitLab")
    return Pushed(revision, pipelines.run("gitlab").data, pipelines.logs("gitlab"), pipelines.recorded("gitlab", CLONE))


def declared(project: Project) -> dict[str, Job]:
    settings = load(project.folder, {})
    settings = replace(settings, pipeline=replace(settings.pipeline, environments=(project.name,)))
    return {job.name: job for job in jobs(settings)}


def test_a_push_to_the_default_branch_serves_what_was_pushed(pipelines: Pipelines, pushed: Pushed) -> None:
    ended = {job["name"]: job for job in pushed.data["jobs"]}
    passed = dict.fromkeys(PUSHED, "passed")
    assert {name: job["result"] for name, job in ended.items()} == passed | {"drift": "not run"}
    assert pipelines.project.version()["revision"] == pushed.revision
    assert ended["rollout"]["start"] >= ended["build"]["start"] + ended["build"]["seconds"] - 1


def test_each_job_acted_as_its_own_role_and_within_it(pipelines: Pipelines, pushed: Pushed) -> None:
    assert pushed
    assert {role for role, _ in pipelines.calls} == {"plan", "build", "deploy"}
    assert pipelines.refused == []


@pytest.mark.parametrize("name", PUSHED)
def test_each_job_had_a_clone_of_its_own_as_deep_as_it_asks(pipelines: Pipelines, pushed: Pushed, name: str) -> None:
    clone, job = pipelines.clone(name), declared(pipelines.project)[name]
    assert git(clone, "rev-parse", "HEAD")[:12] == pushed.revision
    assert (clone / ".git" / "shallow").exists() is (
        not job.history and int(git(clone, "rev-list", "--count", "HEAD")) > 19
    )
    assert (clone / "tasks.py").stat().st_mode & 0o777 == 0o666, "checked out as a runner does"
    assert (clone / ".longshore" / "environments" / pipelines.project.name / "image.json").exists() is (
        name in ("build", "rollout")
    )
    assert (clone / ".longshore" / "environments" / pipelines.project.name / "plan.tfplan").exists() is (name == "plan")


def test_declared_artifacts_exist_and_are_what_gitlab_reads(pipelines: Pipelines, pushed: Pushed) -> None:
    assert pushed
    for name in PUSHED:
        kept = declared(pipelines.project)[name].kept
        for artifact in kept.artifacts if kept else ():
            for path in artifact.paths:
                file = pipelines.clone(name) / path
                assert file.exists(), f"{name}: {path}"
                match artifact.kind:
                    case "junit":
                        assert int(next(ET.parse(file).getroot().iter("testsuite")).attrib["tests"]) > 0
                    case "coverage":
                        assert float(ET.parse(file).getroot().attrib["line-rate"]) > 0.5
                    case "codequality":
                        assert isinstance(json.loads(file.read_text()), list)
                    case "terraform":
                        assert json.loads(file.read_text()) == {"create": 0, "update": 0, "delete": 0}
                    case "dotenv":
                        dotenv = dict(line.split("=", 1) for line in file.read_text().splitlines())
                        assert (
                            dotenv["LONGSHORE_URL"]
                            == pipelines.project.invoke("url", "-e", pipelines.project.name).out.strip()
                        )
                        assert pipelines.project.get("/version")[0] == 200


def test_no_secret_of_the_project_is_in_anything_that_is_left(pipelines: Pipelines, pushed: Pushed) -> None:
    assert not (pipelines.folder("gitlab") / "home").exists(), "the variables end with the run"
    left = [pipelines.folder("gitlab"), pipelines.project.folder / ".longshore" / "logs"]
    values = [*SECRETS.values(), TOKEN]
    for folder in left:
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink() and ".nox" not in file.parts and ".git" not in file.parts:
                assert leaked(file.read_text(errors="replace"), values) == [], file
    assert leaked(json.dumps(pushed.data), values) == []


def test_the_same_commit_again_and_then_its_revert_push_and_roll_out_nothing_twice(
    pipelines: Pipelines, pushed: Pushed
) -> None:
    only = "--jobs=build,rollout"
    _, releases, digests = pipelines.served
    pipelines.run("gitlab", only)
    assert pipelines.served == (pushed.revision, releases, digests)
    git(pipelines.project.folder, "revert", "--no-edit", "HEAD")
    pipelines.run("gitlab", only)
    revision, now, there = pipelines.served
    assert revision == git(pipelines.project.folder, "rev-parse", "HEAD")[:12]
    assert (now[0], there) == (releases[0] + 1, digests), "a release of the image that was there"
    laptop = pipelines.project.deploy("--skip-checks").data
    assert laptop["digest"] == pipelines.project.releases()[0]["digest"], "the laptop's own image, built before"
    assert not laptop["changed"]


def test_a_merge_request_changes_nothing(pipelines: Pipelines) -> None:
    before = pipelines.served
    pipelines.commit("proposed")
    audit = pipelines.project.state() / "logs" / "audit.log"
    size = len(audit.read_text())
    ran = pipelines.run("gitlab", "--event=merge_request", "--jobs=validate,plan,build,rollout,apply")
    assert [job["name"] for job in ran.data["jobs"] if job["result"] == "passed"] == ["validate", "plan"]
    assert {role for role, _ in pipelines.calls} == {"plan"}
    assert [action for _, action in pipelines.calls if not READS.match(action)] == []
    by_jobs = [line for line in audit.read_text()[size:].splitlines() if re.search(r"assumed-role/shop-\w+-ci-", line)]
    assert by_jobs == [], "no job of it reached the cluster"
    git(pipelines.project.folder, "reset", "-q", "--hard", "HEAD~1")
    assert pipelines.served == before


def test_after_a_test_that_fails_nothing_is_built_or_rolled_out(pipelines: Pipelines) -> None:
    before = pipelines.served
    test = pipelines.project.folder / "tests" / "unit" / "application" / "test_broken.py"
    test.write_text('"""A test."""\n\n\ndef test_it() -> None:\n    assert False\n')
    pipelines.commit("broken")
    ran = pipelines.run("gitlab", "--jobs=tests,build,rollout", check=False)
    assert (ran.exit_code, ran.data["error"]) == (5, "failed: tests")
    assert "test_it" in ran.err
    assert {job["name"]: job["result"] for job in ran.data["jobs"]} == {
        "tests": "failed",
        "build": "not run",
        "rollout": "not run",
    }
    assert pipelines.calls == []
    git(pipelines.project.folder, "reset", "-q", "--hard", "HEAD~1")
    assert pipelines.served == before


def test_a_push_by_act_serves_it_too_by_the_same_commands(pipelines: Pipelines, pushed: Pushed) -> None:
    revision = pipelines.commit("pushed to GitHub")
    ran = pipelines.run("github", f"--jobs={','.join(DELIVERY)}")
    assert {job["name"]: job["result"] for job in ran.data["jobs"]} == dict.fromkeys(DELIVERY, "passed")
    assert pipelines.project.version()["revision"] == revision
    assert {role for role, _ in pipelines.calls} == {"plan", "build", "deploy"}
    assert pipelines.refused == []
    logs, records = pipelines.logs("github"), pipelines.recorded("github", CLONE)
    for name in DELIVERY:
        assert commands(pushed.logs[name]) == commands(logs[name]) != [], name
        assert pushed.records[name].differs(records[name]) == {}, name


# What a step of a job and one of a laptop do not have in common, and why.
DIFFERS = {
    "a role by its token, in a job": {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL_STS"},
    "the keys of an environment that is one's own, on a laptop": {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"),
    },
    "a job without a role reaches no AWS": {"AWS_ENDPOINT_URL"},
    "a rehearsed job has a home of its own, and this machine's programs": {"XDG_CACHE_HOME", "XDG_CONFIG_HOME"},
    "a shell's own settings of Terraform stay in that shell": {"TF_CLI_CONFIG_FILE"},
}


def test_a_laptop_s_steps_start_the_same_in_the_same_versions_with_the_same_variables(
    pipelines: Pipelines, pushed: Pushed
) -> None:
    project, explained = pipelines.project, set[str]().union(*DIFFERS.values())
    pipelines.commit("on a laptop")
    kept = project.folder / ".longshore" / "environments" / project.name
    shutil.rmtree(kept / "manifests")  # a job's clone has neither these nor tokens from before
    for token in kept.glob("?" * 32 + ".json"):
        token.unlink()
    for name in DELIVERY:
        for line in declared(project)[name].script:
            project.invoke(*line.split()[1:], JOB=name, LONGSHORE_PLAN_KEY=SECRETS["LONGSHORE_PLAN_KEY"])
    laptop = pipelines.recorded("laptop", re.escape(str(project.folder)))
    for name in DELIVERY:
        job, here = pushed.records[name].without(explained), laptop[name].without(explained)
        assert job.differs(here) == {}, name
        assert len(here.versions[0]) > 50
    assert {"terraform", "buildctl", "kubectl", "python"} <= {
        Path(argv.split()[0]).name for here in laptop.values() for argv in here.started
    }


@pytest.mark.slow
def test_a_whole_push_by_act_and_an_apply_by_hand(pipelines: Pipelines) -> None:
    revision = pipelines.commit("all of it at GitHub")
    ran = pipelines.run("github", "--by-hand=apply")
    assert {job["name"]: job["result"] for job in ran.data["jobs"]} == dict.fromkeys([*PUSHED, "apply"], "passed") | {
        "drift": "not run"
    }
    assert pipelines.project.version()["revision"] == revision
    assert "apply" in {role for role, _ in pipelines.calls}


def test_what_is_missing_or_wrong_is_said_before_anything_runs(pipelines: Pipelines) -> None:
    invoke, name = pipelines.project.invoke, pipelines.project.name
    without = invoke("ci.run", "-e", name, "--json", check=False, PATH="/usr/bin:/bin")
    assert without.exit_code == 3
    assert "gitlab-ci-local" in without.data["error"]
    assert "npm install" in without.data["hint"]
    for words, said in {
        ("-e", "production"): "not on this machine",
        ("-e", name, "--provider=jenkins"): "'jenkins'",
        ("-e", name, "--event=tag"): "'tag'",
        ("-e", name, "--jobs=nothing"): "'nothing'",
    }.items():
        refused = invoke("ci.run", "--json", *words, check=False)
        assert (refused.exit_code, said in refused.data["error"]) == (2, True), refused.out


def test_an_event_that_has_none_of_the_jobs_is_no_success(pipelines: Pipelines) -> None:
    for provider in ("gitlab", "github"):
        ran = pipelines.run(provider, "--event=schedule", "--jobs=lint", check=False)
        assert (ran.exit_code, ran.data["error"]) == (5, "no job ran")


def test_a_token_is_worth_nothing_once_the_run_is_over(pipelines: Pipelines, pushed: Pushed) -> None:
    assert pushed
    assert trusted(pipelines.project) == pipelines.before, "what other tests had the local AWS trust"
