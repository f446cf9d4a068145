"""The image that jobs run in: which jobs get it, and what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from longshore.image import pins
from longshore.pipeline import github, gitlab
from longshore.settings.pipeline import Pipeline
from tests.unit.pipeline.given import settings

IMAGE = f"registry.example.com/shop/ci@sha256:{'1' * 64}"
WITHOUT = settings()
WITH = replace(WITHOUT, pipeline=replace(WITHOUT.pipeline, image=IMAGE))
DOCKERFILE = Path(__file__).parents[3] / "ci" / "Dockerfile"


def jobs() -> dict[str, Any]:
    return dict(yaml.safe_load(gitlab.render(WITH)))


@pytest.mark.parametrize("base", [".nox", ".invoke"])
def test_with_an_image_no_job_installs_anything(base: str) -> None:
    assert jobs()[base] == {"image": IMAGE}


def test_the_pipeline_builds_the_image_on_the_default_branch_beside_what_it_is_for() -> None:
    job = jobs()["job-image"]
    assert (job["script"], job["needs"], job["extends"]) == (["invoke ci.image"], [], ".docker")
    assert job["rules"][-1]["if"] == gitlab.DEFAULT
    assert "environment" not in job, "it needs no credentials of AWS"


def test_a_project_without_an_image_has_no_such_job_and_github_never() -> None:
    assert "job-image" not in yaml.safe_load(gitlab.render(WITHOUT))
    assert "job-image" not in yaml.safe_load(github.render(WITH))["jobs"]


def test_the_image_has_the_versions_that_jobs_without_it_install() -> None:
    named = dict(image.split(":") for _, image in pins.in_dockerfile(DOCKERFILE.read_text()))
    expected = Pipeline()
    assert named["hashicorp/terraform"] == expected.terraform
    assert named["registry.k8s.io/kubectl"] == f"v{expected.kubectl}"
    assert named["docker"].partition("-")[0] == expected.docker.removeprefix("docker:").partition("-")[0]
    assert named["python"].startswith(f"{expected.python}-")


def test_kubectl_is_pinned_where_jobs_install_it() -> None:
    here, there = gitlab.render(WITHOUT), github.render(WITHOUT)
    assert re.search(r"/release/v1\.35\.\d+/bin/linux/\$machine/kubectl", here)
    assert re.search(r'version: "v1\.35\.\d+"', there)
    assert not re.search(r"apk add.*kubectl", here)
