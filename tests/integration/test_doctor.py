"""`invoke doctor -e ENV` on the reference project, with the real Terraform and the local AWS in place of Amazon's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.aws_process import ACCOUNT, ROOT, AwsProcess

Rows = dict[str, tuple[bool | None, str]]
OWN = {
    "222222222222": ACCOUNT,
    "shop.example.com": "shop.acme.io",
    "198.51.100.0/24": "192.88.99.0/24",
    "role/platform-admin": "user/operator",
    "example/shop": "acme/shop",
    "oncall@example.com": "oncall@acme.io",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsProcess]:
    process = AwsProcess(tmp_path_factory.mktemp("aws") / "state", dns=True)
    process.start()
    yield process
    process.end(kill=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "shop")], check=True)
    return tmp_path / "shop"


def doctor(project: Path, aws: AwsProcess) -> tuple[int, Rows, str]:
    """The exit code, the rows by what they are about, and the sentence that the run ended with."""
    argv = [sys.executable, "-m", "invoke", "doctor", "-e", "production", "--json"]
    environ = {**os.environ, **aws.environment, "AWS_REGION": ""}
    ended = subprocess.run(argv, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=120)
    document = json.loads(ended.stdout)
    return ended.returncode, {row["what"]: (row["fine"], row["do"]) for row in document["found"]}, document["error"]


def write(project: Path, dns: int) -> None:
    """Put one's own values where README says."""
    for path in (project / "longshore.toml", project / "terraform" / "environments" / "production.tfvars"):
        text = path.read_text(encoding="utf-8")
        for example, own in OWN.items():
            text = text.replace(example, own)
        text = text.replace("prove = 30\n", f'prove = 30\nresolvers = ["127.0.0.1:{dns}"]\n')
        path.write_text(text, encoding="utf-8")


def test_each_value_of_the_example_is_named(project: Path, aws: AwsProcess) -> None:
    code, rows, error = doctor(project, aws)
    wrong = {what for what, (fine, _) in rows.items() if fine is False}
    assert code == 3
    assert {
        "account 222222222222",
        "domain_name shop.example.com",
        "gitlab_project_path example/shop",
        "alarm_email oncall@example.com",
        "api_allowed_cidrs 198.51.100.0/24",
        f"credentials of arn:aws:iam::{ACCOUNT}:user/operator",
    } <= wrong
    assert all(what in error for what in wrong)


def test_what_is_not_committed_does_not_count_for_a_protected_environment(project: Path, aws: AwsProcess) -> None:
    write(project, aws.dns_port)
    _, rows, _ = doctor(project, aws)
    assert not rows["longshore.toml as committed"][0]
    assert not rows["terraform/environments/production.tfvars as committed"][0]
    assert rows["domain_name shop.acme.io"][0], "it is read all the same"


def test_ones_own_values_are_fine_and_the_zone_is_followed_to_its_delegation(project: Path, aws: AwsProcess) -> None:
    write(project, aws.dns_port)
    _, rows, _ = doctor(project, aws)
    mine = ("domain_name", "gitlab_project_path", "alarm_email", "api_allowed_cidrs", "administrator", "region")
    for name in mine:
        assert [fine for what, (fine, _) in rows.items() if what.startswith(name)] == [True], name
    for what in (f"arn:aws:iam::{ACCOUNT}:user/operator exists", "VPCs: 1 in use, 1 to come, 5 allowed"):
        assert rows[what][0], what
    assert rows["the delegation of shop.acme.io"][0] is None, "there is no zone yet"
    made = aws.client("route53").create_hosted_zone(Name="shop.acme.io", CallerReference="1")
    fine, advice = doctor(project, aws)[1]["shop.acme.io is delegated to its zone"]
    assert fine is False
    (aws.folder / "parent.zone").write_text(advice.partition("managed: ")[2].replace("; ", "\n"))
    assert made["DelegationSet"]["NameServers"][0] in advice
    assert doctor(project, aws)[1]["shop.acme.io is delegated to its zone"][0]


def test_a_value_that_terraform_refuses_is_a_row_with_its_reason(project: Path, aws: AwsProcess) -> None:
    path = project / "terraform" / "environments" / "production.tfvars"
    path.write_text(path.read_text(encoding="utf-8").replace("198.51.100.0/24", "0.0.0.0/0"), encoding="utf-8")
    code, rows, _ = doctor(project, aws)
    fine, advice = rows["the variables in terraform/environments/production.tfvars"]
    assert (code, fine) == (3, False)
    assert "must not be open to the world" in " ".join(advice.split())
