"""The deployed project that all tests share, the state in which they get it, and its removal at the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests import pipeline_tools
from tests.e2e import recorder
from tests.e2e.apps import Apps
from tests.e2e.pipelines import Pipelines, trusted
from tests.e2e.project import Project, git, make_project
from tests.e2e.reviewed import LATENCY, Reviewed

FIRST_START = 1500  # seconds: a machine that has compiled nothing yet


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project, deployed once; its environment is deleted at the end."""
    home = tmp_path_factory.mktemp("home")
    project = make_project(tmp_path_factory.mktemp("project") / "shop", "e2e", home)
    try:
        project.deploy(deadline=FIRST_START)
        yield project
    finally:
        project.invoke("local.reset", "-e", project.name, "--confirm", project.name, deadline=120)


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """A checkout for other people's applications, with an environment that the first of them starts."""
    made = Apps(tmp_path_factory.mktemp("apps") / "site", tmp_path_factory.mktemp("home"))
    try:
        yield made
    finally:
        made.invoke("local.reset", "-e", made.name, "--confirm", made.name, deadline=120)


@pytest.fixture
def project(live: Project) -> Iterator[Project]:
    """The deployed project; edits are reverted afterwards."""
    yield live
    live.restore()


@pytest.fixture
def site(project: Project) -> Iterator[Project]:
    """The deployed project, serving its current sources."""
    project.deploy("--skip-checks")
    yield project
    project.restore()


@pytest.fixture(scope="module")
def planned(live: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    live.restore()
    live.deploy("--skip-checks")
    copies = tmp_path_factory.mktemp("plan")
    plan = Reviewed(live, copies, {live.key(LATENCY): "3"})
    changes = live.invoke("infra.plan", "-e", live.name, "--json", **plan.environ).data["changes"]
    assert {change["action"] for change in changes} == {"update"}
    assert any("threshold: 1.5 → 3" in change["details"] for change in changes)
    for name in ("plan.tfplan", "plan.json"):
        shutil.copy2(plan.folder / name, copies / name)
    assert (plan.folder / "plan.tfplan").stat().st_mode & 0o777 == 0o600
    report = json.loads((live.folder / ".longshore" / "report" / "terraform.json").read_text())
    assert report == {"create": 0, "update": len(changes), "delete": 0}
    yield plan
    live.restore()


@pytest.fixture
def plan(planned: Reviewed) -> Iterator[Reviewed]:
    planned.put_back()
    yield planned
    planned.project.restore()


@pytest.fixture(scope="module")
def pipelines(live: Project) -> Iterator[Pipelines]:
    live.restore()
    live.deploy("--skip-checks")
    began = git(live.folder, "rev-parse", "HEAD")
    folders = [*pipeline_tools.gitlab_ci_local(), pipeline_tools.compiled(pipeline_tools.ACT).parent]
    live.edit("tasks.py", "\n\nns:", f"{recorder.START}ns:")
    git(live.folder, "commit", "-q", "-a", "-m", "Write down what is started")  # apart: a push is reverted below
    yield Pipelines(live, ":".join([*map(str, folders), live.environ["PATH"]]), trusted(live))
    git(live.folder, "reset", "-q", "--hard", began)
    for left in ("rehearsal", "records"):
        shutil.rmtree(live.folder / ".longshore" / left, ignore_errors=True)
