"""The whole way to production and back by README's "To AWS", in another region, each command as its role.

The account is empty at first and at the end, IAM is enforced, and every credential is a session's. What the production
environment has is production's own: it is protected, its overlay and variables are production's. Other than there are
the region, the ports, and how long a release is watched. metrics-server runs beside the cluster. About 20 minutes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator

import pytest

from tests.e2e import metrics
from tests.e2e.ground import ACCOUNT, Ground, environ_of
from tests.e2e.project import ROOT, git
from tests.e2e.team import BASE, DOMAIN, NAME, PERSON, Team, roles_in, until
from tests.integration.account import contents

REGION = "us-west-2"  # not Terraform's default, nor that of any other test
SECTION = "To AWS"
ROLES = {"plan", "apply", "build", "deploy"}
TFVARS = "terraform/environments/production.tfvars"


@pytest.fixture
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("p")  # sockets have short paths
    ground = Ground(folder / "ground", NAME, REGION, environ_of(folder))
    try:
        ground.start()
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        document, iam = json.dumps({"Version": "2012-10-17", "Statement": [trust]}), ground.client("iam")
        iam.create_role(RoleName=PERSON, AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName=PERSON, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        yield Team(folder, ground)
    finally:
        ground.end()


def section() -> str:
    return (ROOT / "README.md").read_text().partition(f"\n## {SECTION}\n")[2].partition("\n## ")[0]


def own_values(team: Team, command: str) -> None:
    """Steps 1 and 2: one's own values, wherever README says; nothing else but what differs here from Amazon's AWS."""
    own = {
        "account": ("222222222222", ACCOUNT),
        "region": (
            f'account = "{ACCOUNT}"\nregion = "eu-central-1"\nprove',
            f'account = "{ACCOUNT}"\nregion = "{REGION}"\nprove',
        ),
        "gitlab": ('gitlab = "example/shop"', 'gitlab = "acme/shop"'),
        "github": ('github = "example/shop"', 'github = "acme/shop"'),
    }
    for old, new in own.values():
        team.edit("longshore.toml", old, new)
    variables = {
        "allowed_account_ids": ("222222222222", ACCOUNT),
        "domain_name": ("shop.example.com", DOMAIN),
        "admin_principal_arns": (f"role/{PERSON}", f"role/{PERSON}"),
        "api_allowed_cidrs": ("198.51.100.0/24", "192.88.99.0/24"),
        "gitlab_project_path": ('gitlab_project_path = "example/shop"', 'gitlab_project_path = "acme/shop"'),
        "github_repository": ('github_repository   = "example/shop"', 'github_repository   = "acme/shop"'),
        "alarm_email": ("oncall@example.com", "oncall@acme.io"),
        "profile": ('profile     = "large"', 'profile     = "large"'),
    }
    assert set(re.findall(r"^ +\| `(\w+)` \|", section(), re.MULTILINE)) == set(variables), "README's table"
    for old, new in variables.values():
        team.edit(TFVARS, old, new)

    registry = team.ground.layout.registry
    here = f'resolvers = ["127.0.0.1:{team.ground.dns_port}"]\nprove = 5\nbake = 20\n'
    team.edit("longshore.toml", "prove = 30\nbake = 120\n", here)
    ports = f"\n[environments.production.variables]\nhttp_port = {team.http}\nhttps_port = {team.https}\n"
    team.edit("longshore.toml", "\n[pipeline] ", f"{ports}\n[pipeline] ")
    for name in ("longshore.toml", "Dockerfile"):  # there is no Docker Hub here
        team.edit(name, BASE, f"{registry}/library/{BASE}")
    team.person(command)
    team.push("main")


def costs(team: Team, command: str) -> None:
    assert f"USD a month in {REGION}" in team.person(command)


def nothing_is_missing(team: Team, command: str) -> None:
    """But more processors than a new account has, and an account of one's own: every local AWS has AWS's example."""

    def missing() -> list[str]:
        return re.findall(r"^ *✘ (\S+ \S+)", team.person(command, code=3), re.MULTILINE)

    assert missing() == [f"account {ACCOUNT}:", "vCPUs for"]
    asked = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A", "DesiredValue": 32.0}
    team.ground.client("service-quotas").request_service_quota_increase(**asked)
    assert missing() == [f"account {ACCOUNT}:"]


def makes_the_bucket(team: Team, command: str) -> None:
    assert contents(team.ground) == {"roles": contents(team.ground)["roles"]}, "an empty account but for the person"
    team.person(command)


def plans_the_zone(team: Team, command: str) -> None:
    assert "aws_route53_zone.this[0]" in team.person(command)


def makes_the_zone(team: Team, command: str) -> None:
    text = team.person(command, code=3)
    records = re.findall(r"^ *(\S+\. \d+ IN NS \S+\.)$", text, re.MULTILINE)
    assert records, text
    team.ground.delegate("\n".join(records))


def plans_the_rest(team: Team, command: str) -> None:
    team.person(command)


def makes_the_rest(team: Team, command: str) -> None:
    team.person(command)
    team.ground.serve()


def deploys(team: Team, command: str) -> None:
    team.person(command)
    assert git(team.origin, "rev-parse", "main").startswith(team.version()["revision"])
    assert len(team.pods()) == 3, "as many as the autoscaler has at least"
    with metrics.served(team.ground, team.folder):
        until("the autoscaler knows what the pods use", lambda: team.used() is not None, 120)
        with team.busy():
            until("the autoscaler adds a pod", lambda: len(team.pods()) > 3, 240)
    # It takes them away five minutes after the load has gone, which nobody waits for here; the node has room for seven.
    team.ground.admin("scale", "deployment/app", "--replicas=3")
    until("three pods again", lambda: len(team.pods()) == 3, 120)


def names_variables(team: Team, command: str) -> None:
    text = team.person(command)
    assert set(re.findall(r"production/\w+", text)) == {f"production/{role}" for role in ROLES}


def names_roles(team: Team, command: str) -> None:
    team.roles = roles_in(team.person(command))
    assert set(team.roles) == ROLES


def alarm_rings(team: Team, command: str) -> None:
    """The pipeline releases the next commit; then all its pods fall ill."""
    first = team.version()["revision"]
    (team.laptop / "application" / "note.txt").write_text("the second release\n")
    team.push("main")
    team.job("build")
    team.job("rollout", receives=("build",))
    assert team.version()["revision"] != first
    for pod in team.pods():
        team.ground.admin("exec", pod, "--", "touch", "/tmp/draining")
    until("the alarm", lambda: "no-healthy-host" in team.person(command), 420)


def returns(team: Team, command: str) -> None:
    with pytest.raises(AssertionError, match="502 Bad Gateway"):
        team.version()
    team.job("rollback")
    assert git(team.origin, "rev-parse", "main~1").startswith(team.version()["revision"])
    until("no alarm", lambda: "no-healthy-host" not in team.person("invoke status -e production"), 420)


def finds_drift(team: Team, command: str) -> None:
    team.job("drift")
    logs = team.ground.client("logs")
    group = next(
        each["logGroupName"] for each in logs.describe_log_groups()["logGroups"] if "flow" in each["logGroupName"]
    )
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert "retention_in_days" in team.person(command, code=5)


def plans_the_end(team: Team, command: str) -> None:
    team.edit(
        "longshore.toml",
        "protected = true                    # commits",
        "protected = false                   # commits",
    )
    team.edit(TFVARS, "deletion_protection = true", "deletion_protection = false")
    team.push("main", "ending")
    team.job("plan", branch="ending")


def applies_the_end(team: Team, command: str) -> None:
    team.job("plan")
    team.job("apply", receives=("plan",))


def ends(team: Team, command: str) -> None:
    team.person(command)


Walk = Callable[[Team, str], None]
WALK: tuple[tuple[str, Walk], ...] = (
    ("invoke ci.generate", own_values),
    ("invoke infra.cost -e production", costs),
    ("invoke doctor -e production", nothing_is_missing),
    ("invoke infra.bootstrap -e production", makes_the_bucket),
    ("invoke infra.plan -e production", plans_the_zone),
    ("invoke infra.apply -e production", makes_the_zone),
    ("invoke infra.plan -e production", plans_the_rest),
    ("invoke infra.apply -e production", makes_the_rest),
    ("invoke deploy -e production", deploys),
    ("invoke ci.variables", names_variables),
    ("invoke infra.output -e production", names_roles),
    ("invoke status -e production", alarm_rings),
    ("invoke rollback -e production", returns),
    ("invoke infra.drift -e production", finds_drift),
    ("invoke infra.plan -e production", plans_the_end),
    ("invoke infra.apply -e production", applies_the_end),
    ("invoke infra.destroy -e production --confirm production", ends),
)


def test_readme_has_every_command_in_the_order_in_which_it_works() -> None:
    assert re.findall(r"`(invoke [^`]+)`", section()) == [command for command, _ in WALK]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="a node of its own needs root")
def test_readmes_commands_make_an_environment_run_it_and_leave_nothing(team: Team) -> None:
    bare = contents(team.ground)
    for command, walk in WALK:
        walk(team, command)
    assert {kind: things for kind, things in contents(team.ground).items() if things != bare.get(kind)} == {}
    assert team.seen == {PERSON, *(arn.rpartition("/")[2] for arn in team.roles.values())}
