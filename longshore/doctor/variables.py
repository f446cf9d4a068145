"""The Terraform variables of an environment: whether they are valid, and no longer those of the example."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from longshore.commands import terraform
from longshore.doctor.finding import Finding, Place
from longshore.errors import BadInput
from longshore.process.runner import Runner

# RFC 5737, RFC 2606: nobody has these.
DOCUMENTATION = tuple(IPv4Network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
EXAMPLES = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost")
ACCOUNTS = ("111111111111", "222222222222", "123456789012")
SHAPE = 'output "shape" {\n  value = local.shape\n}\n'
IN_SETTINGS, NOT_ONES_OWN = "in longshore.toml", "it is the example's"


def read(declared: Path, files: tuple[Path, ...], runner: Runner) -> dict[str, Any]:
    """Return the variables of the folder DECLARED, defaults included, as FILES set them. Needs no provider.

    One that takes its value from a profile (`profiles.tf`) has that. Raises BadInput, with Terraform's words, where a
    value is missing or not valid.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(declared / "variables.tf", folder)
        if (profiles := declared / "profiles.tf").is_file():
            shutil.copy(profiles, folder)
            (folder / "shape.tf").write_text(SHAPE, encoding="utf-8")
        env, plan = {"TF_DATA_DIR": str(folder / "data"), "CHECKPOINT_DISABLE": "1"}, folder / "plan"
        planned = runner.run(terraform.plan(folder, env, files, plan, lock=False), check=False)
        if planned.exit_code not in (0, 2):
            sentence = f"Terraform does not accept the variables in {files[0].name}"
            raise BadInput(sentence, detail=planned.tail, hint="the lines above say which, and why")
        shown = json.loads(runner.run(terraform.show(folder, env, plan)).stdout)
    shape = shown.get("planned_values", {}).get("outputs", {}).get("shape", {}).get("value", {})
    return {key: each.get("value") for key, each in shown.get("variables", {}).items()} | dict(shape)


def check(place: Place) -> Iterator[Finding]:
    """Yield a finding for each value that a person has to set."""
    environment, values, where = place.environment, place.variables, f"in {place.environment.variables_file}"
    account, domain = environment.account, str(values.get("domain_name"))
    yield Finding(
        account not in ("", *ACCOUNTS), f"account {account or 'not set'}", f"set your account's number {IN_SETTINGS}"
    )
    allowed = values.get("allowed_account_ids")
    what = f"allowed_account_ids: {', '.join(allowed) if allowed else 'any account'}"
    yield Finding(allowed == [account], what, f"set it to [{json.dumps(account)}] {where}")
    region = values.get("region")
    advice = f"set `region` {IN_SETTINGS} and {where} to the same region"
    yield Finding(region == environment.region, f"region {region}", advice)
    example = any(f".{domain}".endswith(f".{each}") for each in EXAMPLES)
    yield Finding(not example, f"domain_name {domain}", f"{NOT_ONES_OWN}: set a domain of your own {where}")
    path = str(values.get("gitlab_project_path"))
    advice = f"{NOT_ONES_OWN}: set GROUP/PROJECT {where}"
    yield Finding(not path.startswith("example/"), f"gitlab_project_path {path}", advice)
    projects = (("gitlab", place.gitlab, "gitlab_project_path"), ("github", place.github, "github_repository"))
    for key, project, variable in projects:
        if project:
            what = f"`{key}` under [pipeline] is {project}"
            advice = f"set it and {variable} {where} to the same project, then `invoke ci.generate`"
            yield Finding(project == values.get(variable), what, f"{advice}: jobs with credentials run there alone")
    yield from _administrators(values, account, where)
    if email := values.get("alarm_email"):
        yield Finding(not email.endswith(EXAMPLES[:3]), f"alarm_email {email}", f"{NOT_ONES_OWN}: set your own {where}")
    else:
        yield Finding(True, "alarm_email is not set: nobody is written to when an alarm rings")
    yield from _ranges(values, where)


def _administrators(values: Any, account: str, where: str) -> Iterator[Finding]:
    arns = values.get("admin_principal_arns") or []
    if not arns:
        advice = f"name a role or user {where}: without one, nobody administers the cluster"
        yield Finding(False, "admin_principal_arns is empty", advice)
    for arn in arns:
        yield Finding(arn.split(":")[4] == account, f"administrator {arn}", f"name one of account {account} {where}")


def _ranges(values: Any, where: str) -> Iterator[Finding]:
    ranges = [ip_network(text, strict=False) for text in values.get("api_allowed_cidrs") or []]
    if not ranges:
        yield Finding(True, "api_allowed_cidrs is empty: the API answers in the VPC alone, so deploy from in there")
    for each in ranges:
        documentation = isinstance(each, IPv4Network) and any(each.subnet_of(net) for net in DOCUMENTATION)
        advice = f"it is a range for documentation: set the addresses that deploy {where}"
        yield Finding(not documentation, f"api_allowed_cidrs {each}", advice)
