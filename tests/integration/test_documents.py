"""What README and pipeline say of names and times that are decided elsewhere."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import fields

from longshore import tasks
from longshore.doctor import permissions, variables
from longshore.pipeline.jobs import jobs
from longshore.settings.environments import EnvironmentTable
from longshore.settings.load import load
from longshore.settings.pipeline import Pipeline
from longshore.settings.rollout import SMOKE

ROOT = Path(__file__).parents[2]
UNITS = {"second": 1, "minute": 60, "hour": 3600}
PLAIN = {"docker", "buildx", "kubectl", "terraform", "git", "main"}
PREPARATION = 600  # seconds for a job to get its image, packages and services


def pipeline() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    return document


def seconds(text: str) -> int:
    """The length of what GitLab reads, such as `1 hour 30 minutes`."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+) (second|minute|hour)s?", text))


def limit(job: str) -> int:
    document = pipeline()
    return seconds(document[job].get("timeout", document["default"]["timeout"]))


def test_the_rollouts_job_outlives_all_of_a_releases_deadlines_and_the_way_back() -> None:
    production = load(ROOT, {"HOME": "/root"}).environment("production")
    hooks = 2 * production.hook_deadline  # one before, one after
    served = production.verify_deadline + SMOKE
    proof = production.rollout_deadline + served + production.prove if production.prove else 0
    trial = production.rollout_deadline + served + production.bake
    back = production.rollout_deadline + production.verify_deadline
    longest = production.lease_wait + hooks + proof + trial + back
    assert limit("rollout") >= PREPARATION + longest


def test_the_builds_job_outlives_its_deadline() -> None:
    assert limit("build") >= PREPARATION + load(ROOT, {"HOME": "/root"}).application.build_deadline


@pytest.mark.parametrize(("text", "length"), [("20 minutes", 1200), ("1 hour 30 minutes", 5400), ("2 hours", 7200)])
def test_lengths_are_read_as_gitlab_reads_them(text: str, length: int) -> None:
    assert seconds(text) == length


README = (ROOT / "README.md").read_text(encoding="utf-8")
TO_AWS = README.partition("\n## To AWS\n")[2].partition("\n## ")[0]
VARIABLES = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")


def quoted(text: str) -> list[str]:
    """What TEXT shows as code, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def test_every_command_in_the_readme_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no compiled modules are kept
    names = set(tasks.collection().task_names)
    named = set(re.findall(r"\binvoke ([a-z][\w.]*)", README))
    assert named - names == set()
    assert {"doctor", "infra.bootstrap", "infra.plan", "infra.apply", "deploy"} <= set(
        re.findall(r"\binvoke ([a-z][\w.]*)", TO_AWS)
    )


def test_every_name_on_the_way_to_aws_exists() -> None:
    variables = set(re.findall(r'^variable "(\w+)"', VARIABLES, re.MULTILINE))
    outputs = set(
        re.findall(r'^output "(\w+)"', (ROOT / "terraform/outputs.tf").read_text(encoding="utf-8"), re.MULTILINE)
    )
    settings = {field.name for table in (EnvironmentTable, Pipeline) for field in fields(table)}
    steps = {job.name for job in jobs(load(ROOT, {"HOME": "/root"}))}
    for name in quoted(TO_AWS):
        if re.fullmatch(r"[a-z]+(_[a-z]+)*", name) and name not in PLAIN:
            assert name in variables | outputs | settings | steps, name
        if "/" in name and "://" not in name and " " not in name and not name.endswith(("0/24", "/32")):
            assert (ROOT / name).exists(), name


def test_what_the_example_sets_is_on_the_way_to_aws() -> None:
    text = (ROOT / "terraform" / "environments" / "production.tfvars").read_text(encoding="utf-8")
    examples = ("22222", "example", "198.51.100.")
    set_there = {
        line.partition("=")[0].strip()
        for line in text.splitlines()
        if any(mark in line.partition("=")[2] for mark in examples)
    }
    assert len(set_there) == 7
    assert set_there <= set(quoted(TO_AWS))
    assert {"account", "region", "docker", "buildx", "kubectl", "terraform"} <= set(quoted(TO_AWS))


def test_the_way_to_aws_goes_in_the_order_that_works() -> None:
    order = ["doctor", "infra.bootstrap", "infra.plan", "infra.apply", "deploy"]
    places = [TO_AWS.index(f"invoke {command} -e production") for command in order]
    assert places == sorted(places)


def test_the_reference_projects_own_values_are_known_for_examples() -> None:
    for name in ("staging", "production"):
        text = (ROOT / "terraform" / "environments" / f"{name}.tfvars").read_text(encoding="utf-8")
        domain = re.findall(r'domain_name *= "(.*)"', text)[0]
        assert domain.endswith(variables.EXAMPLES)
        networks = [ip_network(each) for each in re.findall(r'"([\d.]+/\d+)"', text)]
        assert networks
        assert set(networks) <= set(variables.DOCUMENTATION)
        assert re.findall(r'allowed_account_ids *= \["(\d+)"\]', text)[0] in variables.ACCOUNTS


def test_every_service_that_terraform_uses_is_in_the_list_of_actions() -> None:
    kinds = {
        kind
        for path in (ROOT / "terraform").glob("*.tf")
        for kind in re.findall(r'^resource "aws_(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    prefixes = {
        "autoscaling": "autoscaling",
        "cloudwatch_log": "logs",
        "flow_log": "ec2",
        "lb": "elasticloadbalancing",
    } | {service: service for service in ("acm", "budgets", "cloudwatch", "ecr", "eks", "iam", "kms", "route53", "s3")}
    prefixes |= {"sns": "sns", "wafv2": "wafv2"}
    services = {
        prefixes[max((p for p in prefixes if kind.startswith(p)), key=len, default="")]
        for kind in kinds
        if any(kind.startswith(p) for p in prefixes)
    }
    assert services <= {action.partition(":")[0] for action in permissions.ACTIONS}
    assert len(services) > 10
