"""The zone before all else, with a Terraform that answers from a table and a parent's DNS on loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from localcloud.aws import parent
from localcloud.aws.options import Options, configure
from longshore.errors import Precondition
from longshore.infra import delegation, zone
from longshore.infra.infra import Infra
from tests.unit.infra.given import Terraform, event, infra, progress, store
from tests.unit.infra.outputs import VALUES

DOMAIN = "shop.example.com"
SERVERS = ["ns-1.awsdns-00.com", "ns-513.awsdns-00.net"]
ZONE = {"address": zone.ADDRESS, "type": "aws_route53_zone", "change": {"actions": ["create"]}}
CLUSTER = {"address": "aws_eks_cluster.this", "type": "aws_eks_cluster", "change": {"actions": ["create"]}}
WAITING = {"address": zone.VALIDATION, "type": "aws_acm_certificate_validation", "change": {"actions": ["create"]}}


def plan(*changes: dict[str, Any], servers: list[str] | None = None, domain: str = DOMAIN) -> dict[str, Any]:
    output = {"name_servers": {"sensitive": False} | ({"value": servers} if servers else {})}
    variables = {"domain_name": {"value": domain}}
    return {"resource_changes": list(changes), "variables": variables, "planned_values": {"outputs": output}}


EVERYTHING = plan(ZONE, CLUSTER, WAITING)
REST = plan(CLUSTER, WAITING, servers=SERVERS)
MADE = event("outputs", outputs={"name_servers": {"sensitive": False, "type": "list", "value": SERVERS}})
DONE = event(
    "outputs", outputs={name: {"sensitive": False, "type": "string", "value": value} for name, value in VALUES.items()}
)


class Amazon(Terraform):
    """A Terraform with changes to make, all of them or those that it is limited to, until they are applied."""

    def __init__(self) -> None:
        super().__init__(plan=(2, ""))
        self.made, self.shown = False, EVERYTHING

    def run(self, command: Any, **options: Any) -> Any:
        if command.argv[2] == "plan":
            targeted = f"-target={zone.ADDRESS}" in command.argv
            self.shown = REST if self.made else plan(ZONE) if targeted else EVERYTHING
        self.answers["show"] = (0, json.dumps(self.shown))
        self.answers["apply"] = (0, DONE if self.made else MADE)
        result = super().run(command, **options)
        self.made = self.made or command.argv[2] == "apply"
        return result


@pytest.fixture
def delegate(tmp_path: Path, dns: str) -> Callable[..., None]:
    """Have the parent delegate the domain to the servers given."""

    def enter(*servers: str) -> None:
        (tmp_path / "parent.zone").write_text("".join(f"{line}\n" for line in delegation.records(DOMAIN, servers)))

    return enter


@pytest.fixture
def dns(tmp_path: Path) -> Iterator[str]:
    """The address of a DNS server that answers for the parent."""
    configure(Options(parent=tmp_path / "parent.zone"))
    yield f"127.0.0.1:{parent.serve('127.0.0.1', 0)}"
    configure(Options())


@pytest.fixture
def here(tmp_path: Path, dns: str, account: None) -> Infra:
    made = infra(tmp_path, Amazon())
    made = replace(made, environment=msgspec.structs.replace(made.environment, resolvers=[dns]))
    made.bucket.ensure()
    return made


def test_a_new_zone_is_planned_and_applied_alone_and_prints_its_records(here: Infra) -> None:
    changes = here.review(progress).changes
    assert [change.address for change in changes] == [zone.ADDRESS]
    assert zone.is_alone(changes)
    with pytest.raises(Precondition, match=re.escape("example.com does not delegate it")) as refused:
        here.apply(progress)
    assert refused.value.detail.splitlines() == [f"{DOMAIN}. 172800 IN NS {server}." for server in SERVERS]
    assert "enter these records where example.com is managed" in refused.value.hint
    assert "infra.plan -e local" in refused.value.hint


def test_the_next_run_goes_on_once_the_zone_is_delegated(here: Infra, delegate: Callable[..., None]) -> None:
    here.review(progress)
    with pytest.raises(Precondition):
        here.apply(progress)
    assert "aws_eks_cluster.this" in [change.address for change in here.review(progress).changes]
    with pytest.raises(Precondition, match=re.escape("example.com does not delegate it")):
        here.apply(progress)
    assert isinstance(here.runner, Terraform)
    assert here.runner.names.count("apply") == 1, "nothing waits in vain"
    delegate(*SERVERS)
    assert here.apply(progress).note == "2 resources changed"


def test_a_delegation_to_others_is_none(here: Infra, delegate: Callable[..., None]) -> None:
    delegate(SERVERS[0], "ns-1.elsewhere.example")
    here.review(progress)
    with pytest.raises(Precondition, match=re.escape("delegates it to others: ns-1.elsewhere.example")):
        here.apply(progress)


def test_a_zone_that_is_delegated_at_once_needs_no_second_command(here: Infra, delegate: Callable[..., None]) -> None:
    delegate(*SERVERS)
    assert here.bring_up(progress).note == "2 resources changed"
    assert isinstance(here.runner, Terraform)
    assert here.runner.names.count("apply") == 2


@pytest.mark.usefixtures("account")
def test_an_environment_with_no_more_than_its_zone_says_so(tmp_path: Path) -> None:
    there = infra(tmp_path)
    store(there, {"name_servers": {"value": SERVERS}, "url": {"value": "u"}})
    with pytest.raises(Precondition, match="no more than its zone yet"):
        there.outputs()


@pytest.mark.parametrize(
    "shown",
    [
        plan(ZONE, CLUSTER, WAITING, domain="shop.localhost"),  # has no domain above that could delegate it
        plan(CLUSTER, WAITING, servers=SERVERS),  # exists
        plan(ZONE, CLUSTER),  # nothing waits
        {},
    ],
)
def test_only_what_something_waits_for_comes_first(shown: dict[str, Any]) -> None:
    assert not zone.comes_first(shown)


def test_a_domain_that_changes_needs_a_zone_of_its_own_first() -> None:
    replaced = {**ZONE, "change": {"actions": ["delete", "create"]}}
    with pytest.raises(Precondition, match=re.escape("makes the zone of shop.example.com anew")) as refused:
        zone.require_delegated(plan(replaced, WAITING), [], "production", progress)
    assert "hosted_zone_id" in refused.value.hint


def test_a_domain_inside_of_a_zone_that_exists_is_as_good_as_that_zone(
    dns: str, tmp_path: Path, delegate: Callable[..., None]
) -> None:
    given = {"address": "data.aws_route53_zone.given[0]", "values": {"name": "example.com."}}
    inside = REST | {"prior_state": {"values": {"root_module": {"resources": [given]}}}}
    delegate(*SERVERS)  # the domain itself, which is nobody's business
    with pytest.raises(Precondition, match=re.escape("the zone of example.com exists")):
        zone.require_delegated(inside, [dns], "production", progress)
    records = delegation.records("example.com", SERVERS)
    (tmp_path / "parent.zone").write_text("".join(f"{record}\n" for record in records))
    zone.require_delegated(inside, [dns], "production", progress)


def test_nobody_who_could_be_asked_is_not_the_same_as_no_delegation(tmp_path: Path) -> None:
    nobody = ["127.0.0.1:1"]
    assert delegation.check(DOMAIN, SERVERS, nobody).fine is None
    zone.require_delegated(REST, nobody, "production", progress)
    with pytest.raises(Precondition, match="no name server that knows could be asked from here"):
        zone.require(DOMAIN, SERVERS, nobody, "production")


def test_names_are_compared_without_case_and_final_dots(dns: str, delegate: Callable[..., None]) -> None:
    delegate("NS-1.awsdns-00.COM", SERVERS[1])
    assert delegation.check("Shop.example.com.", [f"{server}." for server in SERVERS], [dns]).fine
