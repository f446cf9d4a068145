"""The workflow by GitHub's schema, by actionlint, and as act plans it. Both are compiled once into the cache."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.pipeline import github
from tests.pipeline_tools import ACT, ACTIONLINT, ROOT, compiled, run, with_review_environments

WORKFLOW = ROOT / ".github" / "workflows" / "longshore.yml"
SCHEMA = ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows")


@pytest.fixture(scope="session")
def actionlint() -> Path:
    return compiled(ACTIONLINT)


def validated(workflow: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, *SCHEMA, workflow, check=False)


def test_githubs_schema_accepts_the_workflow() -> None:
    done = validated(WORKFLOW)
    assert (done.returncode, done.stdout) == (0, "ok -- validation done\n")


def test_githubs_schema_refuses_an_unknown_keyword(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOW.read_text().replace("    runs-on: ", "    runs-off: ", 1))
    assert validated(broken).returncode == 1


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    done = run(actionlint, "-no-color", "-shellcheck=", WORKFLOW, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_review_environments_pass_schema_and_actionlint(actionlint: Path, tmp_path: Path) -> None:
    workflow = tmp_path / "longshore.yml"
    workflow.write_text(github.render(with_review_environments()))
    assert validated(workflow).returncode == 0
    done = run(actionlint, "-no-color", "-shellcheck=", workflow, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_actionlint_finds_a_need_that_is_missing_and_a_condition_that_is_none(actionlint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    text = (
        WORKFLOW.read_text().replace("needs: [validate]", "needs: [valid]").replace("github.ref ==", "github.reff ==")
    )
    broken.write_text(text)
    done = run(actionlint, "-no-color", "-shellcheck=", broken, check=False)
    assert done.returncode == 1
    assert '"valid"' in done.stdout
    assert '"reff"' in done.stdout


@pytest.mark.slow
def test_act_plans_the_same_jobs_in_the_same_order() -> None:
    done = run(compiled(ACT), "push", "--list", "--workflows", WORKFLOW)
    rows = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()[1:]]
    stages = {row[1]: int(row[0]) for row in rows if len(row) > 2}
    assert stages["lint"] == stages["validate"] == 0
    assert stages["build"] < stages["rollout"]
    assert stages["plan"] < stages["apply"]
