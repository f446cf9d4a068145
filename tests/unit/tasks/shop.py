"""A project whose steps are those of the reference project."""

from __future__ import annotations

from pathlib import Path

from longshore.graph.steps import Graph
from longshore.process.runner import Runner
from longshore.settings import load as configuration
from longshore.tasks import catalogue
from longshore.tasks.world import World
from tests.unit.sources import snapshot_of

ROOT = Path(__file__).parents[3]
SETTINGS = ROOT / "tests" / "data" / "longshore.toml"
FILES = [
    ".dockerignore",
    ".gitlab-ci.yml",
    ".yamllint.yaml",
    "Dockerfile",
    "README.md",
    "noxfile.py",
    "pyproject.toml",
    "tasks.py",
    "application/__init__.py",
    "application/gunicorn.conf.py",
    "application/static/app.css",
    "application/templates/index.html",
    "docs/decisions/0001-a.md",
    "k8s/base/deployment.yaml",
    "k8s/base/service.yaml",
    "k8s/overlays/production/kustomization.yaml",
    "longshore/__init__.py",
    "longshore/process/runner.py",
    "longshore/py.typed",
    "localcloud/build/kube/main.go",
    "requirements/application.txt",
    "requirements/dev.txt",
    "terraform/.terraform.lock.hcl",
    "terraform/vpc.tf",
    "terraform/environments/production.tfvars",
    "terraform/environments/staging.tfvars",
    "terraform/tests/vpc.tftest.hcl",
    "tests/data/a.json",
    "tests/e2e/test_deploy.py",
    "tests/smoke/test_smoke.py",
    "tests/unit/rollout/test_lease.py",
    "tests/unit/test_layout.py",
    "tests/unit/application/test_pages.py",
    ".longshore/report/a.xml",
]


def graph(root: Path) -> tuple[Graph, World]:
    settings = configuration.load(root, {})
    snapshot = snapshot_of(root)
    world = World(settings, "production", Runner({}), lambda: snapshot)
    return catalogue.graph(world), world
