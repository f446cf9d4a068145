"""The pipeline by GitLab's schema, and the jobs that gitlab-ci-local runs for pushes and merge requests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from longshore.pipeline import gitlab
from tests import pipeline_tools
from tests.pipeline_tools import ROOT

PIPELINE = ROOT / ".gitlab-ci.yml"
CHECKS = {"lint", "tests", "scan", "validate"}


@pytest.fixture(scope="session")
def simulator() -> list[str]:
    """The command that starts gitlab-ci-local."""
    programs, node = pipeline_tools.gitlab_ci_local()
    return [str(node / "node"), str(programs / "gitlab-ci-local")]


def run(*argv: str | Path, cwd: Path) -> str:
    return pipeline_tools.run(*argv, cwd=cwd).stdout


class Project:
    """A small project with this pipeline, pushed once to a default branch called main."""

    def __init__(self, folder: Path, simulator: list[str]) -> None:
        self.folder, self._simulator = folder, simulator
        self.git("init", "--quiet", "--initial-branch=main")
        shutil.copy(PIPELINE, folder)
        for name in ("application/app.py", "k8s/base/deployment.yaml", "docs/index.md", "requirements/dev.txt"):
            self.write(name)
        self.write(".gitignore", ".gitlab-ci-local/\n")
        self.commit()
        self.git("remote", "add", "origin", "git@gitlab.example:example/shop.git")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    def git(self, *argv: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        return run("git", *identity, *argv, cwd=self.folder)

    def write(self, name: str, text: str = "one\n") -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=work")

    def change(self, name: str) -> None:
        self.write(name, "two\n")
        self.commit()

    def pipeline(self, *options: str) -> dict[str, str]:
        """Return the jobs that the pipeline would have, with their `when`."""
        home = self.folder.parent / "home"
        out = run(*self._simulator, "--list-json", "--home", home, *options, cwd=self.folder)
        return {job["name"]: job["when"] for job in json.loads(out[out.index("[\n") :]) if job["when"] != "never"}


@pytest.fixture
def project(tmp_path: Path, simulator: list[str]) -> Project:
    folder = tmp_path / "shop"
    folder.mkdir()
    return Project(folder, simulator)


def merge_request(source: str, target: str) -> tuple[str, ...]:
    variables = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": source,
        "CI_PROJECT_ID": target,
    }
    given = [part for key, value in variables.items() for part in ("--variable", f"{key}={value}")]
    return ("--ignore-predefined-vars", ",".join(variables), "--unset-variable", "CI_COMMIT_BRANCH", *given)


def validated(pipeline: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci"]
    argv += ["--data-transform", "gitlab-ci", str(pipeline)]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)


def test_gitlabs_schema_accepts_the_pipeline() -> None:
    done = validated(PIPELINE)
    assert (done.returncode, done.stdout) == (0, "ok -- validation done\n")


def test_gitlabs_schema_accepts_review_environments(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yml").write_text(gitlab.render(pipeline_tools.with_review_environments()))
    assert validated(tmp_path / "pipeline.yml").returncode == 0


def test_gitlabs_schema_accepts_a_rootless_builder(tmp_path: Path) -> None:
    settings = pipeline_tools.with_review_environments()
    pipeline = replace(settings.pipeline, buildkit="moby/buildkit:v0.34.2-rootless")
    (tmp_path / "pipeline.yml").write_text(gitlab.render(replace(settings, pipeline=pipeline)))
    assert validated(tmp_path / "pipeline.yml").returncode == 0


def test_gitlabs_schema_refuses_an_unknown_keyword(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(PIPELINE.read_text().replace("  stage: check\n", "  stagge: check\n", 1))
    done = validated(broken)
    assert done.returncode == 1
    assert "stagge" in done.stdout


def test_a_push_to_a_branch_is_checked_and_planned(project: Project) -> None:
    project.git("checkout", "--quiet", "-b", "feature")
    project.change("application/app.py")
    assert project.pipeline() == dict.fromkeys(CHECKS | {"plan"}, "on_success")


@pytest.mark.parametrize(
    ("version", "code"),
    [("0.12.26", 3), ("1.5.7", 3), ("1.10.5", 3), ("1.11.3", 3), ("1.11.4", 0), ("1.11.10", 0), ("2.0.0", 0)],
)
def test_a_terraform_that_is_too_old_ends_with_a_sentence(version: str, code: int) -> None:
    first = yaml.safe_load(PIPELINE.read_text())[".invoke"]["before_script"][0]
    done = subprocess.run(
        ["sh", "-c", first], env={"TERRAFORM_VERSION": version}, check=False, capture_output=True, text=True
    )
    assert done.returncode == code
    assert (f"TERRAFORM_VERSION is {version}" in done.stdout) is (code == 3)


FILES = ["docs/index.md", "application/app.py", "k8s/base/deployment.yaml", "requirements/dev.txt"]


@pytest.mark.parametrize("changed", FILES)
def test_a_push_to_the_default_branch_has_every_job_whatever_it_changes(project: Project, changed: str) -> None:
    project.change(changed)
    automatic = dict.fromkeys(CHECKS | {"plan", "build", "rollout"}, "on_success")
    assert project.pipeline() == automatic | {"apply": "manual", "rollback": "manual"}


def test_a_merge_request_of_this_project_is_planned(project: Project) -> None:
    assert project.pipeline(*merge_request("7", "7")) == dict.fromkeys(CHECKS | {"plan"}, "on_success")


def test_a_merge_request_of_a_fork_gets_no_plan(project: Project) -> None:
    assert project.pipeline(*merge_request("8", "7")) == dict.fromkeys(CHECKS, "on_success")


def test_a_merge_request_of_this_project_gets_an_environment_and_a_forks_none(project: Project) -> None:
    (project.folder / PIPELINE.name).write_text(gitlab.render(pipeline_tools.with_review_environments()))
    own, foreign = (project.pipeline(*merge_request(source, "7")) for source in ("7", "8"))
    assert {name: when for name, when in own.items() if "review" in name} == {
        "review": "on_success",
        "review-stop": "manual",
    }
    assert foreign == dict.fromkeys(CHECKS, "on_success")


def test_the_schedule_looks_for_drift_and_does_nothing_else(project: Project) -> None:
    given = ("--ignore-predefined-vars", "CI_PIPELINE_SOURCE", "--variable", "CI_PIPELINE_SOURCE=schedule")
    assert project.pipeline(*given) == {"drift": "on_success"}


def test_a_fork_gets_no_job_with_credentials(project: Project) -> None:
    project.git("remote", "set-url", "origin", "git@gitlab.example:stranger/shop.git")
    assert project.pipeline() == dict.fromkeys(CHECKS, "on_success")
