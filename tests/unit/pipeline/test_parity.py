"""One table: each tool has one version, wherever something installs it, and both providers set the same variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from localcloud.build.programs import KUBERNETES_VERSION
from longshore.image import pins
from longshore.pipeline import github, gitlab, variables
from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Role, Setup
from longshore.settings.pipeline import Pipeline, Review
from longshore.settings.project import Application
from tests.unit.pipeline.given import settings

ROOT = Path(__file__).parents[3]
SETTINGS = settings()
GITLAB: dict[str, Any] = yaml.safe_load(gitlab.render(SETTINGS))
GITHUB: dict[str, Any] = yaml.safe_load(github.render(SETTINGS))
IMAGE = dict(image.split(":") for _, image in pins.in_dockerfile((ROOT / "ci" / "Dockerfile").read_text()))


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", text, re.MULTILINE))


def given(action: str, option: str) -> str:
    """What the workflow's jobs tell ACTION by OPTION: the same in all of them."""
    steps = [step for job in GITHUB["jobs"].values() for step in job["steps"]]
    (value,) = {str(step["with"][option]) for step in steps if step.get("uses", "").startswith(f"{action}@")}
    return value


def found(pattern: str, path: str) -> str:
    match = re.search(pattern, (ROOT / path).read_text(), re.MULTILINE)
    assert match, f"{path} has no {pattern}"
    return match[1]


def image_of(base: str) -> str:
    """The version in the image of GitLab's jobs that are made of BASE."""
    image = GITLAB[base]["image"]
    return str(image if isinstance(image, str) else image["name"]).rpartition(":")[2]


KUBECTL = re.search(r"/release/v([\d.]+)/", " ".join(GITLAB[".invoke"]["before_script"]))
NOX, DEV = locked("nox"), locked("dev")
# Of each tool: the version that counts, and the one in each other place that says one.
VERSIONS: dict[str, tuple[str, dict[str, str]]] = {
    "python": (
        Pipeline().python,
        {
            ".gitlab-ci.yml": image_of(".nox").partition("-")[0],
            "the workflow": given("actions/setup-python", "python-version"),
            "ci/Dockerfile": IMAGE["python"].partition("-")[0],
            "the application's image": Application().base_image.removeprefix("python:").partition("-")[0],
            "pyproject.toml": found(r'^requires-python = ">= ([\d.]+)"', "pyproject.toml"),
            "the locks": found(r'"--python-version=([\d.]+)"', "noxfile.py"),
        },
    ),
    "terraform": (
        Pipeline().terraform,
        {
            ".gitlab-ci.yml": GITLAB["variables"]["TERRAFORM_VERSION"],
            "the workflow": given("hashicorp/setup-terraform", "terraform_version"),
            "ci/Dockerfile": IMAGE["hashicorp/terraform"],
            "terraform/versions.tf": found(r'required_version = ">= ([\d.]+),', "terraform/versions.tf"),
        },
    ),
    "kubectl": (
        f"v{Pipeline().kubectl}",
        {
            ".gitlab-ci.yml": f"v{KUBECTL[1] if KUBECTL else ''}",
            "the workflow": given("azure/setup-kubectl", "version"),
            "ci/Dockerfile": IMAGE["registry.k8s.io/kubectl"],
            "the cluster here": f"v{KUBERNETES_VERSION}",
            "what it is compiled of": found(r"k8s\.io/kubernetes (v[\d.]+)$", "localcloud/build/kube/go.mod"),
        },
    ),
    "docker": (
        Pipeline().docker.removeprefix("docker:").partition("-")[0],
        {
            ".gitlab-ci.yml": GITLAB[".docker"]["services"][0]["name"].removeprefix("docker:").partition("-")[0],
            "ci/Dockerfile": IMAGE["docker"].partition("-")[0],
        },
    ),
    "nox": (NOX["nox"], {"requirements/dev.txt": DEV["nox"]}),
    "uv": (NOX["uv"], {"requirements/dev.txt": DEV["uv"]}),
}


@pytest.mark.parametrize("tool", VERSIONS)
def test_a_tool_has_one_version_wherever_it_is_installed(tool: str) -> None:
    version, places = VERSIONS[tool]
    assert places == dict.fromkeys(places, version)


def test_what_nox_installs_first_is_what_the_checks_have() -> None:
    shared = NOX.keys() & DEV.keys()
    assert {"nox", "uv", "virtualenv"} <= shared
    assert {name: NOX[name] for name in shared} == {name: DEV[name] for name in shared}


@pytest.mark.parametrize("name", [job.name for job in jobs(SETTINGS)])
def test_a_job_installs_the_same_lock_at_both_and_nothing_else(name: str) -> None:
    job = next(job for job in jobs(SETTINGS) if job.name == name)
    wanted = "requirements/nox.txt" if job.setup is Setup.NOX else "requirements/dev.txt"
    base = GITLAB[GITLAB[name]["extends"]]
    lines = base.get("before_script") or GITLAB[base["extends"]]["before_script"]
    here = [line for line in lines if line.startswith("pip ")]
    there = [step["run"] for step in GITHUB["jobs"][name]["steps"] if str(step.get("run", "")).startswith("pip ")]
    assert here == there == [f"pip install --quiet --require-hashes -r {wanted}"]


def test_both_set_the_same_variables_for_all_jobs() -> None:
    own = {"TERRAFORM_VERSION"}  # the seed's, which a project may override at GitLab
    assert {key: value for key, value in GITLAB["variables"].items() if key not in own} == GITHUB["env"]


# What GitLab says of itself, or takes from the project's variables without being told, GitHub's jobs are told.
TOLD = {
    Role.NONE: set[str](),
    Role.PLAN: {"AWS_ROLE_ARN", "LONGSHORE_PLAN_KEY"},
    Role.APPLY: {"AWS_ROLE_ARN", "LONGSHORE_PLAN_KEY"},
    Role.BUILD: {"AWS_ROLE_ARN", "DOCKER_UNAME", "DOCKER_PWORD"},
    Role.DEPLOY: {"AWS_ROLE_ARN"},
}


@pytest.mark.parametrize("name", [job.name for job in jobs(SETTINGS)])
def test_a_job_gets_the_variables_of_its_role_at_both(name: str) -> None:
    job = next(job for job in jobs(SETTINGS) if job.name == name)
    assert set(GITHUB["jobs"][name].get("env", {})) == TOLD[job.role]
    daemon = {"DOCKER_HOST", "DOCKER_TLS_CERTDIR", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"}
    assert set(GITLAB[name].get("variables", {})) <= {"GIT_DEPTH"}
    assert set(GITLAB[GITLAB[name]["extends"]].get("variables", {})) == (daemon if job.setup is Setup.DOCKER else set())


BUCKET = replace(SETTINGS.results, remote="s3://results/shop", account="123456789012")
REVIEWED = replace(SETTINGS.pipeline, review=Review(environment=SETTINGS.pipeline.environments[0]))
WHOLE = replace(SETTINGS, pipeline=REVIEWED, results=BUCKET)
SET = [each for each in variables.variables(WHOLE) if each.provider != "gitlab"]


@pytest.mark.parametrize("variable", SET, ids=lambda each: f"{each.name} {','.join(each.scopes)}")
def test_what_the_project_sets_reaches_the_jobs_that_it_is_for_at_github_too(variable: variables.Variable) -> None:
    workflow = yaml.safe_load(github.render(WHOLE))
    found = [job for job in jobs(WHOLE) if job.provider != "gitlab"]
    builds = {job.name for job in found if job.setup is Setup.DOCKER and job.role is Role.BUILD}  # no branch's own
    wanted = {job.name for job in found if not variable.scopes or job.scope in variable.scopes}
    wanted &= builds if variable.name.startswith("DOCKER_") else wanted
    source = f"${{{{ {'secrets' if variable.secret else 'vars'}.{variable.name} }}}}"
    given = {name: workflow["env"] | job.get("env", {}) for name, job in workflow["jobs"].items()}
    assert {name for name, env in given.items() if env.get(variable.name) == source} >= wanted != set()


def test_without_a_bucket_no_job_of_github_has_the_key_of_one() -> None:
    assert "LONGSHORE_RESULTS_KEY" not in github.render(SETTINGS)


def test_a_job_that_acts_on_an_environment_can_ask_the_remote() -> None:
    for job in jobs(SETTINGS):
        if job.name in GITHUB["jobs"]:
            checkout = GITHUB["jobs"][job.name]["steps"][0]["with"]
            assert checkout["persist-credentials"] is (job.role is not Role.NONE), job.name
