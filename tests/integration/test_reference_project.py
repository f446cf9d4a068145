"""The files of the reference project against the toolkit. No gate runs these: its users may change all of them."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import msgspec
import pytest

from longshore.pipeline import files
from longshore.settings.environments import EnvironmentTable, LocalTable
from longshore.settings.gates import Gates, Own, Results, Suite
from longshore.settings.load import Document, load
from longshore.settings.pipeline import Pipeline, Review
from longshore.settings.project import Application, Project
from longshore.settings.rollout import Budgets, Patience
from longshore.settings.values import EnvironmentName, ProjectName
from longshore.settings.workloads import WorkloadTable

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "longshore.toml").read_text()
TABLES = (
    Document,
    Project,
    Application,
    Gates,
    Suite,
    Own,
    Results,
    Pipeline,
    Review,
    EnvironmentTable,
    LocalTable,
    Budgets,
    Patience,
    WorkloadTable,
)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented(table: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(table):
        assert re.search(rf"^(# )?({field.name} =|\[([\w-]+\.)*{field.name}[\].])", SETTINGS, re.MULTILINE), field.name


def test_each_part_of_longshore_is_covered_by_one_suite() -> None:
    suites = load(ROOT, {"HOME": "/home/somebody"}).gates.tests.values()
    parts = {path.stem for path in (ROOT / "longshore").iterdir()} - {"__init__", "__main__", "__pycache__"}
    covered = sorted(name for suite in suites for name in suite.covers if name not in ("application", "localcloud"))
    assert covered == sorted(f"longshore.{part}" for part in parts)


def test_the_suites_that_unit_tests_know_are_those_of_the_project() -> None:
    known = tomllib.loads((ROOT / "tests" / "data" / "longshore.toml").read_text())
    assert known["gates"] == tomllib.loads(SETTINGS)["gates"], "bring tests/data/longshore.toml up to date"


@pytest.mark.parametrize(("kind", "variable"), [(ProjectName, "project"), (EnvironmentName, "environment")])
def test_names_obey_the_rule_of_terraforms_variables(kind: object, variable: str) -> None:
    said = (ROOT / "terraform" / "variables.tf").read_text()
    rule = re.search(rf'= can\(regex\("\^([^"]*)\$", var\.{variable}\)\)', said)
    assert rule
    refused = re.search(rf'!can\(regex\("([^"]*)", var\.{variable}\)\)', said)
    # Terraform's expressions cannot look ahead, so it has what is refused apart.
    parts = refused[1].replace("$", r"\Z").split("|") if refused else []
    ahead = "|".join(part[1:] if part.startswith("^") else f".*{part}" for part in parts)
    before = f"(?!{ahead})" if ahead else ""
    assert kind.__metadata__[0].pattern == rf"^{before}{rule[1]}\Z"  # type: ignore[attr-defined]


@pytest.mark.slow
def test_whatever_users_set_the_unit_tests_pass(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    text = re.sub(r"(\[environments\.staging\]|\[gates\.tests\.(toolkit|rollout)\].*)\n(?:.+\n)+", "", SETTINGS)
    text = re.sub(r"_port = (\d)", r"_port = 1\1", text).replace("eu-central-1", "us-east-1").replace("22222", "33333")
    text = text.replace('name = "shop"', 'name = "till"') + '\n[environments.qa]\naccount = "444444444444"\n'
    (tmp_path / "longshore.toml").write_text(text)
    assert load(tmp_path, {"HOME": "/home/somebody"}).environments.keys() == {"local", "production", "qa"}
    # The folders that are left out are the slowest and read no file of the project.
    left_out = ("--ignore=tests/unit/localcloud", "--ignore=tests/unit/rollout", "--ignore=tests/unit/process")
    argv = [sys.executable, "-m", "pytest", "-q", "tests/unit", *left_out]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:]


def test_no_terraform_files_refer_to_each_other_in_a_circle() -> None:
    tool = runpy.run_path(str(ROOT / "terraform" / "readme.py"))
    files = list(TopologicalSorter(tool["references"](tool["sources"]())).static_order())
    assert files.index("vpc.tf") < files.index("cluster.tf") < files.index("load_balancer.tf")
    assert files[-1] == "outputs.tf"


def test_the_pipelines_files_are_those_that_the_settings_give() -> None:
    settings = load(ROOT, {"HOME": "/home/somebody"})
    assert settings.pipeline.providers == ("gitlab", "github")
    assert files.difference(settings, ROOT) == ""


def test_jobs_with_credentials_run_in_the_project_that_terraform_trusts() -> None:
    settings = load(ROOT, {"HOME": "/home/somebody"})
    for name in settings.pipeline.environments:
        text = (ROOT / settings.environment(name).variables_file).read_text()
        assert f'gitlab_project_path = "{settings.pipeline.gitlab}"' in text
